import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { SweepListener, SweepReport } from '../lifecycle/sweeper.ts';

const SECONDS = [0.01, 0.1, 1, 10, 60, 300, 1_800];
const RESULTS = ['expired', 'repaired', 'released', 'failed'] as const satisfies readonly (keyof SweepReport)[];

export function createSweepMetrics(registry: Registry): SweepListener {
  const registers = [registry];
  const sweeps = new Counter({
    name: 'partway_sweeps_total',
    help: 'Sweeps, by outcome: ok, or error for one that broke off.',
    labelNames: ['outcome'],
    registers,
  });
  const results = new Counter({
    name: 'partway_sweep_results_total',
    help: 'Results of sweeps: sessions expired, sessions repaired, multipart uploads released, and failures, which are tried again.',
    labelNames: ['result'],
    registers,
  });
  const seconds = new Histogram({
    name: 'partway_sweep_duration_seconds',
    help: 'Time that sweeps took.',
    buckets: SECONDS,
    registers,
  });
  const lastSuccess = new Gauge({
    name: 'partway_sweep_last_success_timestamp_seconds',
    help: 'When a sweep last ran to its end, in seconds since the Unix epoch; 0 for never.',
    registers,
  });
  for (const outcome of ['ok', 'error']) sweeps.inc({ outcome }, 0);
  for (const result of RESULTS) results.inc({ result }, 0);

  return ({ report, ms, at }) => {
    sweeps.inc({ outcome: report === undefined ? 'error' : 'ok' });
    seconds.observe(ms / 1_000);
    if (report === undefined) return;
    lastSuccess.set(at / 1_000);
    for (const result of RESULTS) results.inc({ result }, report[result]);
  };
}
