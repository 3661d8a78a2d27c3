import { pause } from '../link/pause.ts';

/** Longest wait for one piece: progress is seen, and a server's idle limit (MinIO: 30 s) is far. */
const LONGEST_PIECE_MS = 1_000;
const LARGEST_PIECE = 256 * 1024;
/** Below this, a piece is mostly headers. */
const SMALLEST_PIECE = 4 * 1024;
/** What may be sent ahead of time after a pause, so that a limit is reached and not only kept. */
const BURST_MS = 200;

/**
 * Keeps all parts together below a rate that can change while they are sent. Time is the budget: each byte books its share
 * of it, and whoever is ahead of the clock waits. Undefined is no limit.
 */
export function createByteLimiter(initial: number | undefined, now: () => number = () => performance.now()) {
  let bytesPerSecond = initial;
  let bookedUntil = now();
  return {
    get bytesPerSecond(): number | undefined {
      return bytesPerSecond;
    },
    set bytesPerSecond(rate: number | undefined) {
      bytesPerSecond = rate;
      // What was booked at the old rate is forgotten.
      bookedUntil = now();
    },
    /** Bytes to hand over at once: small enough that the rate is even within a second. */
    get pieceSize(): number {
      if (bytesPerSecond === undefined) return LARGEST_PIECE;
      return Math.min(LARGEST_PIECE, Math.max(SMALLEST_PIECE, Math.floor((bytesPerSecond * LONGEST_PIECE_MS) / 4_000)));
    },
    /** Waits until `bytes` may be sent. */
    async take(bytes: number, signal: AbortSignal): Promise<void> {
      if (bytesPerSecond === undefined) return;
      const time = now();
      bookedUntil = Math.max(bookedUntil, time - BURST_MS);
      const waitMs = bookedUntil - time;
      bookedUntil += (bytes * 1_000) / bytesPerSecond;
      if (waitMs > 0) await pause(waitMs, signal);
    },
  };
}
export type ByteLimiter = ReturnType<typeof createByteLimiter>;
