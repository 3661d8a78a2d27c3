import { Gauge, Registry } from 'prom-client';
import type { Instant } from '../../session/session.ts';
import type { SessionStore } from '../../session-store/port/session-store.ts';
import type { Log } from '../core/deps.ts';
import { createClockMetrics } from './clock-metrics.ts';
import { createEventMetrics } from './event-metrics.ts';
import { createObjectStoreMetrics } from './object-store-metrics.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { createSessionMetrics } from './session-metrics.ts';
import { createSweepMetrics } from './sweep-metrics.ts';

export type Metrics = ReturnType<typeof createMetrics>;

export interface MetricsOptions {
  readonly sessions: Pick<SessionStore, 'totals' | 'outbox'>;
  /** Without one, events wait for nobody, and are forgotten after a day. */
  readonly hasWebhook: boolean;
  readonly now: () => Instant;
  readonly log: Log;
  readonly version: string;
}

/**
 * What Prometheus can read of one server, in a registry of its own: several servers in a process do not meet. No label names a
 * session, a key or a token: their number has no bound, and who may read metrics need not know them. docs/operations.md explains
 * each metric.
 */
export function createMetrics({ sessions, hasWebhook, now, log, version }: MetricsOptions) {
  const registry = new Registry();
  const sessionMetrics = createSessionMetrics(registry);
  const eventMetrics = createEventMetrics(registry);
  const answers = new Gauge({
    name: 'partway_session_store_up',
    help: 'Whether the session store answered when this was asked: 1 or 0. Without it, what is read from it is left out.',
    registers: [registry],
  });

  /** Never throws: what can be said without the session store is most wanted when that is broken. */
  async function askStore() {
    try {
      const backlog = hasWebhook ? await sessions.outbox.backlog() : undefined;
      return { totals: await sessions.totals(), backlog };
    } catch (error) {
      log.warn({ err: error }, 'metrics: the session store does not answer');
      return undefined;
    }
  }

  return {
    requests: createRequestMetrics(registry),
    sessions: sessionMetrics,
    measureStore: createObjectStoreMetrics(registry),
    swept: createSweepMetrics(registry),
    clockSeen: createClockMetrics(registry),
    eventDelivered: eventMetrics.delivered,
    contentType: registry.contentType,
    /** Everything, as text. Costs a few questions to the session store. */
    async expose(): Promise<string> {
      const known = await askStore();
      answers.set(known === undefined ? 0 : 1);
      sessionMetrics.showTotals(known?.totals);
      eventMetrics.showBacklog(known?.backlog, now());
      return registry.metrics();
    },
    /** Every metric's name, for the test of the docs. */
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
    /** Until it is stopped. What watches costs a little all the time, so that only a process that is a server does it. */
    watchProcess: (): { stop(): void } => createProcessMetrics(registry, version),
  };
}
