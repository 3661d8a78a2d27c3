import { Counter, Gauge, type Registry } from 'prom-client';
import type { StoredPart } from '../../session/session.ts';
import type { SessionStore } from '../../session-store/port.ts';
import type { Audit, AuditEventName } from '../audit/event.ts';
import type { Log } from '../deps.ts';

const SESSION_EVENTS = ['created', 'completed', 'aborted', 'expired', 'granted'] as const satisfies readonly AuditEventName[];

/** What sessions do, counted as it happens, and what they amount to, asked of the session store. */
export function createSessionMetrics(registry: Registry, sessions: Pick<SessionStore, 'totals'>, log: Log) {
  const registers = [registry];
  const events = new Counter({
    name: 'partway_session_events_total',
    help: 'What happened to sessions: created, completed, aborted, expired; granted is a capability made.',
    labelNames: ['event'],
    registers,
  });
  const partsReported = new Counter({
    name: 'partway_reported_parts_total',
    help: 'Stored parts that clients reported. A part that is reported again counts again.',
    registers,
  });
  const bytesReported = new Counter({
    name: 'partway_reported_bytes_total',
    help: 'Bytes of the parts that clients reported as stored. A part that is reported again counts again.',
    registers,
  });
  const unfinished = new Gauge({
    name: 'partway_sessions',
    help: 'Sessions that have not ended, by status.',
    labelNames: ['status'],
    registers,
  });
  const declared = new Gauge({
    name: 'partway_declared_bytes',
    help: 'Declared sizes of all sessions, by state: unfinished (the most that the store can hold for them), completed.',
    labelNames: ['state'],
    registers,
  });
  const answers = new Gauge({
    name: 'partway_session_store_up',
    help: 'Whether the session store answered when this was asked: 1 or 0. Without it, what is read from it is left out.',
    registers,
  });
  for (const event of SESSION_EVENTS) events.inc({ event }, 0);

  return {
    /** The audit log is told of everything that happens to a session, right after it happened. */
    countEvents(audit: Audit): Audit {
      return {
        record(event) {
          if (isSessionEvent(event.event)) events.inc({ event: event.event });
          audit.record(event);
        },
      };
    },

    reported(parts: readonly Pick<StoredPart, 'size'>[]): void {
      partsReported.inc(parts.length);
      bytesReported.inc(parts.reduce((sum, { size }) => sum + size, 0));
    },

    /** Never throws: what can be said without the session store is most wanted when that is broken. */
    async readTotals(): Promise<void> {
      unfinished.reset();
      declared.reset();
      try {
        const totals = await sessions.totals();
        for (const [status, count] of Object.entries(totals.unfinished)) unfinished.set({ status }, count);
        declared.set({ state: 'unfinished' }, totals.reservedBytes);
        declared.set({ state: 'completed' }, totals.settledBytes);
        answers.set(1);
      } catch (error) {
        log.warn({ err: error }, 'metrics: the session store does not answer');
        answers.set(0);
      }
    },
  };
}

function isSessionEvent(event: AuditEventName): event is (typeof SESSION_EVENTS)[number] {
  return (SESSION_EVENTS as readonly string[]).includes(event);
}
