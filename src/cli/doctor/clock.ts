import { formatDuration } from '../format/durations.ts';
import { type Finding, ok, warn } from './finding.ts';

/** A presigned URL's life counts from the signer's clock; the store accepts 15 minutes in the future and nothing past the expiry. */
const TOLERATED_MS = 60_000;

export function judgeClock(whose: string, offsetMs: number | undefined): Finding[] {
  const check = `clock of ${whose}`;
  if (offsetMs === undefined) return [];
  const difference = formatDuration(Math.abs(offsetMs) / 1000);
  // A Date header has whole seconds.
  if (Math.abs(offsetMs) <= TOLERATED_MS)
    return [ok(check, Math.abs(offsetMs) < 2_000 ? 'the same as here' : `within ${difference} of here`)];
  const direction = offsetMs > 0 ? 'ahead of' : 'behind';
  return [
    warn(
      check,
      `${difference} ${direction} this machine`,
      'One of the two clocks is wrong; let both use NTP, or presigned URLs may be refused.',
    ),
  ];
}

/** Milliseconds by which the clock that wrote `date` is ahead of this machine's. */
export function clockOffset(date: string | Date | undefined | null, now: number): number | undefined {
  if (date === undefined || date === null) return undefined;
  const theirs = new Date(date).getTime();
  return Number.isNaN(theirs) ? undefined : theirs - now;
}
