import { Counter, Gauge, type Registry } from 'prom-client';
import type { AuditEventName } from '../../contract/audit-events.ts';
import type { StoredPart } from '../../session/session.ts';
import type { Totals } from '../../session-store/port/usage.ts';
import type { Audit } from '../audit/event.ts';

const SESSION_EVENTS = ['created', 'completed', 'aborted', 'expired', 'granted'] as const satisfies readonly AuditEventName[];

/** Counts what happens to sessions, and shows totals as the session store has them. */
export function createSessionMetrics(registry: Registry) {
  const registers = [registry];
  const events = new Counter({
    name: 'partway_session_events_total',
    help: 'Events of sessions: created, completed, aborted, expired; granted means that a capability was made.',
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
  const held = new Gauge({
    name: 'partway_held_bytes',
    help: 'Bytes of the stored parts of all sessions that have not ended, as reported by clients and listed by the store.',
    registers,
  });
  for (const event of SESSION_EVENTS) events.inc({ event }, 0);

  return {
    /** Counts the events that go to the audit log, which gets everything that happens to a session. */
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

    /** Shows nothing where the session store does not answer. */
    showTotals(totals: Totals | undefined): void {
      unfinished.reset();
      declared.reset();
      held.remove();
      if (totals === undefined) return;
      for (const [status, count] of Object.entries(totals.unfinished)) unfinished.set({ status }, count);
      declared.set({ state: 'unfinished' }, totals.reservedBytes);
      declared.set({ state: 'completed' }, totals.settledBytes);
      held.set(totals.heldBytes);
    },
  };
}

function isSessionEvent(event: AuditEventName): event is (typeof SESSION_EVENTS)[number] {
  return (SESSION_EVENTS as readonly string[]).includes(event);
}
