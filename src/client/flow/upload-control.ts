import { sleep } from '../network/sleep.ts';
import type { ControlEvent } from '../progress/events.ts';
import { createByteLimiter } from './byte-limiter.ts';

export interface UploadControlOptions {
  /** Keep all parts together below this rate. Unlimited where left out. */
  readonly bytesPerSecond?: number | undefined;
}

/**
 * Pauses, continues and limits uploads while they run: pass it to `runUpload` and change it at any time, also before. Runs that
 * share one are paused together, and together stay below its rate.
 */
export function createUploadControl({ bytesPerSecond }: UploadControlOptions = {}, now: () => number = () => performance.now()) {
  const limiter = createByteLimiter(checkedRate(bytesPerSecond));
  const listeners = new Set<(event: ControlEvent) => void>();
  const waiting = new Set<() => void>();
  let pausedAt: number | undefined;
  let pausedMsBefore = 0;
  let pauses = 0;

  function notify(event: ControlEvent): void {
    for (const listener of [...listeners]) listener(event);
  }

  return {
    get paused(): boolean {
      return pausedAt !== undefined;
    },
    /** Begins no new part; those on the wire are sent to their end, because a store cuts a body that stands still. */
    pause(): void {
      if (pausedAt !== undefined) return;
      pausedAt = now();
      pauses += 1;
      notify({ type: 'paused' });
    },
    resume(): void {
      if (pausedAt === undefined) return;
      pausedMsBefore += now() - pausedAt;
      pausedAt = undefined;
      notify({ type: 'resumed' });
      for (const wake of [...waiting]) wake();
    },
    /** Undefined is no limit. A new rate applies at once, even within a part. */
    get bytesPerSecond(): number | undefined {
      return limiter.bytesPerSecond;
    },
    set bytesPerSecond(rate: number | undefined) {
      if (checkedRate(rate) === limiter.bytesPerSecond) return;
      limiter.bytesPerSecond = rate;
      notify({ type: 'limit', bytesPerSecond: rate ?? null });
    },

    // The members below are for the engine.
    limiter,
    /** Total of all pauses, including the current one. */
    get pausedMs(): number {
      return pausedMsBefore + (pausedAt === undefined ? 0 : now() - pausedAt);
    },
    /** Number of pauses so far, including the current one. */
    get pauses(): number {
      return pauses;
    },
    /** Resolves at once unless paused. @throws the signal's reason as soon as it aborts. */
    async untilResumed(signal: AbortSignal): Promise<void> {
      while (pausedAt !== undefined) await sleep(undefined, signal, waiting);
    },
    /** Returns the way to stop listening. */
    listen(listener: (event: ControlEvent) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
export type UploadControl = ReturnType<typeof createUploadControl>;

function checkedRate(bytesPerSecond: number | undefined): number | undefined {
  if (bytesPerSecond === undefined || (bytesPerSecond > 0 && Number.isFinite(bytesPerSecond))) return bytesPerSecond;
  throw new RangeError(`bytesPerSecond must be above 0, or undefined for no limit: ${bytesPerSecond}`);
}
