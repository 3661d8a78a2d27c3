import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** How often the event loop is looked at, in milliseconds. */
const RESOLUTION_MS = 10;
const QUANTILES = [0.5, 0.99, 1];

/** Memory, CPU, files and garbage collection of the process, as prom-client names them, and how long the event loop let others wait. */
export function createProcessMetrics(registry: Registry, version: string): { stop(): void } {
  collectDefaultMetrics({ register: registry });
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  new Gauge({
    name: 'partway_event_loop_delay_seconds',
    help: 'How late timers came since the last look at the metrics, by quantile; 1 is the longest pause.',
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

/** Seconds. Node measures from one look to the next (nanoseconds): the interval between them is nobody's delay. */
function lateness(delay: IntervalHistogram, quantile: number): number {
  const ns = quantile === 1 ? delay.max : delay.percentile(100 * quantile);
  return Math.max(0, ns / 1e9 - RESOLUTION_MS / 1e3);
}
