import { uptime } from 'node:os';

/** After more than this between two readings, the process was asleep or stopped: a clock that ticks each second is never that late. */
const LONGEST_TICK_MS = 2_000;
const TICK_EVERY_MS = 1_000;

/**
 * Counts the milliseconds for which this process was awake, from 0. `monotonic` must never step; on some systems it goes on while
 * the host sleeps, so an increment counts for 2 s at most. Must be read at least that often: see `startAwakeClock`.
 */
export function createAwakeClock(monotonic: () => number): () => number {
  let last = monotonic();
  let awakeMs = 0;
  return () => {
    const at = monotonic();
    awakeMs += Math.min(LONGEST_TICK_MS, Math.max(0, at - last));
    last = at;
    return awakeMs;
  };
}

export interface AwakeClock {
  /** For outages, patience, durations and speeds: unlike the wall clock, neither set by hand nor moved on by sleep. */
  readonly now: () => number;
  stop(): void;
}

/** Starts a clock that reads itself often enough. Keeps no process alive. */
export function startAwakeClock(monotonic: () => number = () => performance.now()): AwakeClock {
  const now = createAwakeClock(monotonic);
  const timer = setInterval(now, TICK_EVERY_MS);
  timer.unref();
  return { now, stop: () => clearInterval(timer) };
}

/**
 * Milliseconds since the host started, including its sleep, on every system. Shows what an awake clock left out: Linux stops its
 * monotonic clock during sleep, and a wall clock that was set (NTP) looks as if the host had slept. In steps of up to 1 s.
 */
export function elapsedMs(): number {
  return uptime() * 1_000;
}
