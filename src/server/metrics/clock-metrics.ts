import { Counter, Gauge, type Registry } from 'prom-client';
import type { ClockReport } from '../clock/expiry-clock.ts';
import { DOUBTS } from '../clock/expiry-hold.ts';

export function createClockMetrics(registry: Registry): (report: ClockReport) => void {
  const registers = [registry];
  const held = new Gauge({
    name: 'partway_expiry_held',
    help: 'Whether nothing expires for now, by reason: 1 or 0.',
    labelNames: ['reason'],
    registers,
  });
  const steps = new Counter({
    name: 'partway_clock_steps_total',
    help: 'Steps of the wall clock and pauses of the process.',
    registers,
  });
  const offset = new Gauge({
    name: 'partway_clock_offset_seconds',
    help: "The object store's clock, and that of the clients, minus the server's. Left out while unknown.",
    labelNames: ['of'],
    registers,
  });
  for (const reason of DOUBTS) held.set({ reason }, 0);

  return ({ doubt, isStep, storeOffsetMs, clientsOffsetMs }) => {
    for (const reason of DOUBTS) held.set({ reason }, reason === doubt ? 1 : 0);
    if (isStep) steps.inc();
    for (const [of, ms] of Object.entries({ store: storeOffsetMs, clients: clientsOffsetMs }))
      if (ms === undefined) offset.remove({ of });
      else offset.set({ of }, ms / 1_000);
  };
}
