import { Gauge, Registry } from 'prom-client';
import type { Instant } from '../../session/session.ts';
import type { Outbox } from '../../session-store/port/outbox.ts';
import type { UsageRecords } from '../../session-store/port/usage.ts';
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
  readonly sessions: Pick<UsageRecords, 'totals'> & { readonly outbox: Outbox };
  /** Without a webhook, events are not sent, and are deleted after a day. */
  readonly hasWebhook: boolean;
  readonly now: () => Instant;
  readonly log: Log;
  readonly version: string;
}

/**
 * Metrics of one server for Prometheus, in a registry of their own, so that several servers can run in one process. No label names a
 * session, a key or a token: their number has no bound, and readers of metrics need not know them. docs/operations.md explains
 * each metric.
 */
export function createMetrics({ sessions, hasWebhook, now, log, version }: MetricsOptions) {
  const registry = new Registry();
  const sessionMetrics = createSessionMetrics(registry);
  const eventMetrics = createEventMetrics(registry);
  const answers = new Gauge({
    name: 'partway_session_store_up',
    help: 'Whether the session store answered when the metrics were read: 1 or 0. If not, the metrics that come from it are left out.',
    registers: [registry],
  });

  /** Never throws: the other metrics are needed most when the session store is broken. */
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
    /** Returns all metrics as text. Costs a few queries of the session store. */
    async expose(): Promise<string> {
      const known = await askStore();
      answers.set(known === undefined ? 0 : 1);
      sessionMetrics.showTotals(known?.totals);
      eventMetrics.showBacklog(known?.backlog, now());
      return registry.metrics();
    },
    /** Returns every metric's name, for the test of the docs. */
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
    /** Starts to watch the process, which costs a little all the time, so only real servers do it. */
    watchProcess: (): { stop(): void } => createProcessMetrics(registry, version),
  };
}
