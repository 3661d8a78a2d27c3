import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { MiB } from '../../../src/session/part-plan.ts';
import type { Testbed } from './testbed.ts';

const OUTAGE_MS = 60_000;
const SLEEP_MS = 120_000;

/** One course of events while a file is uploaded. */
export interface Scenario {
  readonly name: string;
  readonly loss: number;
  /** Runs beside the upload, until `over` says that the upload has ended. Resolves to how long the link was down, in seconds. */
  disturb?(run: Disturbed): Promise<Disturbance>;
  /** Kills the client with SIGKILL once half of the file is on the wire, and repeats the same command. */
  readonly killHalfWay?: boolean;
}

export interface Disturbed {
  readonly bed: Testbed;
  readonly process: ChildProcess;
  readonly fileSize: number;
  readonly over: AbortSignal;
}

export interface Disturbance {
  readonly downSeconds: number;
  /** Seconds from the end of the outage until the client had sent at least 256 KiB again. */
  readonly recoverySeconds?: number;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'loss 0 %', loss: 0 },
  { name: 'loss 1 %', loss: 0.01 },
  { name: 'loss 3 %', loss: 0.03 },
  { name: 'blackout 60 s', loss: 0.01, disturb: (run) => oneOutage(run, (on) => run.bed.blackout(on)) },
  { name: 'reset 60 s', loss: 0.01, disturb: (run) => oneOutage(run, (on) => run.bed.refuse(on)) },
  { name: 'refused 4 min', loss: 0.01, disturb: (run) => oneOutage(run, (on) => run.bed.refuse(on), 240_000) },
  { name: 'kill -9 half-way', loss: 0.01, killHalfWay: true },
  { name: 'sleep 120 s', loss: 0.01, disturb: sleep },
  { name: 'flap 5 s of 20 s', loss: 0.01, disturb: flap },
];

async function oneOutage(
  { bed, fileSize, over }: Disturbed,
  down: (on: boolean) => void,
  outageMs = OUTAGE_MS,
): Promise<Disturbance> {
  await Promise.race([bed.untilSent(fileSize / 3), untilOver(over)]);
  if (over.aborted) return { downSeconds: 0 };
  down(true);
  await Promise.race([wait(outageMs), untilOver(over)]);
  down(false);
  return { downSeconds: outageMs / 1_000, ...(await recovery(bed, over)) };
}

/** Acts like a closed laptop lid: the process stands still while everything else continues. */
async function sleep({ bed, process: child, fileSize, over }: Disturbed): Promise<Disturbance> {
  await bed.untilSent(fileSize / 3);
  child.kill('SIGSTOP');
  await wait(SLEEP_MS);
  child.kill('SIGCONT');
  return { downSeconds: SLEEP_MS / 1_000, ...(await recovery(bed, over)) };
}

async function flap({ bed, over }: Disturbed): Promise<Disturbance> {
  let downSeconds = 0;
  while (!over.aborted) {
    await Promise.race([wait(15_000), untilOver(over)]);
    if (over.aborted) break;
    bed.blackout(true);
    await Promise.race([wait(5_000), untilOver(over)]);
    bed.blackout(false);
    downSeconds += 5;
  }
  return { downSeconds };
}

async function recovery(bed: Testbed, over: AbortSignal): Promise<{ recoverySeconds?: number }> {
  const since = performance.now();
  await Promise.race([bed.untilSent(MiB / 4), untilOver(over)]);
  return over.aborted ? {} : { recoverySeconds: (performance.now() - since) / 1_000 };
}

function untilOver(over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (over.aborted) resolve();
    else over.addEventListener('abort', () => resolve(), { once: true });
  });
}
