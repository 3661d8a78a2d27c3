import type { Instant } from '../../session/session.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** After the first failure, the second, and so on; the last one again and again. */
const WAITS_MS = [5 * SECOND_MS, 30 * SECOND_MS, 2 * MINUTE_MS, 10 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS];
export const LONGEST_WAIT_MS = 2 * HOUR_MS;
/** Since the event, or its replay. */
const WORTH_TRYING_MS = 24 * HOUR_MS;
/** So that what failed together does not come back together: a wait may be shorter by this part. */
const JITTER = 0.25;

export interface Tried {
  /** At least one. */
  readonly attempts: number;
  readonly pendingSince: Instant;
}

/**
 * When to try again; undefined where it has been tried for 24 hours. Then, at their end, there is a last attempt, and an event that is
 * older when it is first tried has that one.
 * @param random From 0 to below 1.
 * @param askedMs The receiver asked for so long.
 */
export function nextAttemptAt({ attempts, pendingSince }: Tried, now: Instant, random: number, askedMs = 0): Instant | undefined {
  const end = pendingSince + WORTH_TRYING_MS;
  if (now >= end) return undefined;
  const wait = (WAITS_MS[attempts - 1] ?? LONGEST_WAIT_MS) * (1 - JITTER * random);
  return Math.min(end, now + Math.round(Math.max(wait, Math.min(askedMs, LONGEST_WAIT_MS))));
}

/** Of a Retry-After header, in milliseconds from now; 0 where it says nothing. */
export function askedForMs(retryAfter: string | undefined, now: Instant): number {
  if (retryAfter === undefined) return 0;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * SECOND_MS;
  const until = Date.parse(retryAfter);
  return Number.isNaN(until) ? 0 : Math.max(0, until - now);
}
