import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** Interval at which the delay of the event loop is sampled. */
const RESOLUTION_MS = 10;
const QUANTILES = [0.5, 0.99, 1];

/** Shows memory, CPU, files and garbage collection of the process, as prom-client names them, and the delay of the event loop. */
export function createProcessMetrics(registry: Registry, version: string): { stop(): void } {
  collectDefaultMetrics({ register: registry });
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  new Gauge({
    name: 'partway_event_loop_delay_seconds',
    help: 'How late timers fired since the metrics were last read, by quantile; 1 is the longest delay.',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      for (const quantile of QUANTILES) this.set({ quantile }, lateness(delay, quantile));
      delay.reset();
    },
  });
  new Gauge({
    name: 'partway_build_info',
    help: 'Always 1; the label says which version runs.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  return { stop: () => delay.disable() };
}

/** Returns the delay in seconds. Node measures the time between two samples (in nanoseconds), so their interval is subtracted. */
function lateness(delay: IntervalHistogram, quantile: number): number {
  const ns = quantile === 1 ? delay.max : delay.percentile(100 * quantile);
  return Math.max(0, ns / 1e9 - RESOLUTION_MS / 1e3);
}
