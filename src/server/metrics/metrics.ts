import { Registry } from 'prom-client';
import type { SessionStore } from '../../session-store/port.ts';
import type { Log } from '../deps.ts';
import { createObjectStoreMetrics } from './object-store-metrics.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { createSessionMetrics } from './session-metrics.ts';
import { createSweepMetrics } from './sweep-metrics.ts';

export type Metrics = ReturnType<typeof createMetrics>;

export interface MetricsOptions {
  readonly sessions: Pick<SessionStore, 'totals'>;
  readonly log: Log;
  readonly version: string;
}

/**
 * What Prometheus can read of one server, in a registry of its own: several servers in a process do not meet. No label names a
 * session, a key or a token: their number has no bound, and who may read metrics need not know them. docs/operations.md explains
 * each metric.
 */
export function createMetrics({ sessions, log, version }: MetricsOptions) {
  const registry = new Registry();
  const sessionMetrics = createSessionMetrics(registry, sessions, log);
  return {
    requests: createRequestMetrics(registry),
    sessions: sessionMetrics,
    measureStore: createObjectStoreMetrics(registry),
    swept: createSweepMetrics(registry),
    contentType: registry.contentType,
    /** Everything, as text. Costs one question to the session store. */
    async expose(): Promise<string> {
      await sessionMetrics.readTotals();
      return registry.metrics();
    },
    /** Every metric's name, for the test of the docs. */
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
    /** Until it is stopped. What watches costs a little all the time, so that only a process that is a server does it. */
    watchProcess: (): { stop(): void } => createProcessMetrics(registry, version),
  };
}
