/** Weight of the past at each answer: about five parts count. */
const MEMORY = 0.8;
/** At this speed a video of 10 GB takes four days: a first guess need not allow for less. */
const SLOWEST_BYTES_PER_MS = 32 * 1.024;
/** Invisible buffers on the way (a VPN's, a proxy's) are seldom larger. */
const INVISIBLE_BUFFER_BYTES = 16 * 1024 * 1024;

/**
 * The rate at which the other end acknowledges bytes, over all connections together. A socket's own speed says little: kernel, VPN
 * and proxy take megabytes at once and send them later. All times are in milliseconds.
 */
export interface ServiceRate {
  /** Records that `bytes`, sent from `startedAt` on, were acknowledged at `at`. */
  answered(bytes: number, startedAt: number, at: number): void;
  /** Time that `bytes` on the way may take to be acknowledged; generous until the first answer. */
  timeFor(bytes: number): number;
  readonly isKnown: boolean;
}

export function createServiceRate(): ServiceRate {
  let bytesSum = 0;
  let msSum = 0;
  let lastAnswerAt = Number.NEGATIVE_INFINITY;
  return {
    answered(bytes, startedAt, at) {
      // Parts side by side share the way: only the time since the last answer was spent for this one.
      bytesSum = bytesSum * MEMORY + bytes;
      msSum = msSum * MEMORY + Math.max(0, at - Math.max(startedAt, lastAnswerAt));
      lastAnswerAt = at;
    },
    timeFor(bytes) {
      if (bytesSum === 0) return Math.min(INVISIBLE_BUFFER_BYTES, bytes) / SLOWEST_BYTES_PER_MS;
      return (bytes * msSum) / bytesSum;
    },
    get isKnown() {
      return bytesSum > 0;
    },
  };
}
