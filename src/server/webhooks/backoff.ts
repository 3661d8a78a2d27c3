import type { Instant } from '../../session/session.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Waits after the first failure, the second, and so on; the last one repeats. */
const WAITS_MS = [5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS];
export const LONGEST_WAIT_MS = 2 * HOUR_MS;
/** How long an event is tried, since it happened or was replayed. */
const WORTH_TRYING_MS = 24 * HOUR_MS;
/** A wait may be shorter by this share, so that events that failed together do not come back together. */
const JITTER = 0.25;

export interface Tried {
  /** At least 1. */
  readonly attempts: number;
  readonly pendingSince: Instant;
}

/**
 * Returns when to try again; undefined after 24 hours. One last attempt is made when they end; an event already older than that gets
 * exactly one attempt.
 * @param random From 0 to below 1.
 * @param askedMs The wait that the receiver asked for.
 */
export function nextAttemptAt({ attempts, pendingSince }: Tried, now: Instant, random: number, askedMs = 0): Instant | undefined {
  const end = pendingSince + WORTH_TRYING_MS;
  if (now >= end) return undefined;
  const wait = (WAITS_MS[attempts - 1] ?? LONGEST_WAIT_MS) * (1 - JITTER * random);
  return Math.min(end, now + Math.round(Math.max(wait, Math.min(askedMs, LONGEST_WAIT_MS))));
}

/** Reads a Retry-After header as milliseconds from now; 0 where there is none. */
export function askedForMs(retryAfter: string | undefined, now: Instant): number {
  if (retryAfter === undefined) return 0;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * SECOND_MS;
  const until = Date.parse(retryAfter);
  return Number.isNaN(until) ? 0 : Math.max(0, until - now);
}
