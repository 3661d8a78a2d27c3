import { sleep } from '../network/sleep.ts';

/** A piece takes a quarter of this: progress is visible, and a server's idle limit (MinIO: 30 s) is far away. */
const LONGEST_PIECE_MS = 1_000;
const LARGEST_PIECE = 256 * 1024;
/** At 1 KiB/s, sixteen parts then take turns within 16 s: below MinIO's limit. Smaller pieces are mostly headers. */
const SMALLEST_PIECE = 1024;
/** How much may be sent ahead of time after a gap, so that a limit is reached and not only kept. */
const BURST_MS = 200;

/**
 * Keeps all parts together below a rate that can change while they are sent. Time is the budget: each byte books its share
 * of it, and a part that is ahead of the clock waits. Undefined is no limit.
 */
export function createByteLimiter(initial: number | undefined, now: () => number = () => performance.now()) {
  let bytesPerSecond = initial;
  let bookedUntil = now();
  let changes = 0;
  const waiting = new Set<() => void>();
  return {
    get bytesPerSecond(): number | undefined {
      return bytesPerSecond;
    },
    set bytesPerSecond(rate: number | undefined) {
      bytesPerSecond = rate;
      // Bookings at the old rate are dropped, and the parts that wait for theirs book again.
      bookedUntil = now();
      changes += 1;
      for (const wake of [...waiting]) wake();
    },
    /** Waits until bytes may be sent. Resolves to their number, at most `most`: few enough for an even rate within a second. */
    async take(most: number, signal: AbortSignal): Promise<number> {
      while (bytesPerSecond !== undefined) {
        const bytes = Math.min(most, pieceSize(bytesPerSecond));
        const time = now();
        bookedUntil = Math.max(bookedUntil, time - BURST_MS);
        const waitMs = bookedUntil - time;
        bookedUntil += (bytes * 1_000) / bytesPerSecond;
        const changesBefore = changes;
        if (waitMs > 0) await sleep(waitMs, signal, waiting);
        if (changes === changesBefore) return bytes;
      }
      return most;
    },
  };
}
export type ByteLimiter = ReturnType<typeof createByteLimiter>;

function pieceSize(bytesPerSecond: number): number {
  return Math.min(LARGEST_PIECE, Math.max(SMALLEST_PIECE, Math.floor((bytesPerSecond * LONGEST_PIECE_MS) / 4_000)));
}
