import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { askedForMs, LONGEST_WAIT_MS, nextAttemptAt } from '../../../src/server/webhooks/backoff.ts';
import { NOON } from '../../support/database/sessions.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 3_600_000;

describe('the next attempt', () => {
  it('comes after 5 s, then later and later, up to every 2 hours', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 20].map(
      (attempts) => (nextAttemptAt({ attempts, pendingSince: NOON }, NOON, 0) ?? 0) - NOON,
    );

    const steps = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 2 * HOUR, 2 * HOUR];
    expect(waits).toStrictEqual(steps);
  });

  it('is never more than a quarter earlier than that by chance, and never later', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempts, random) => {
          const at = (chance: number) => (nextAttemptAt({ attempts, pendingSince: NOON }, NOON, chance) ?? 0) - NOON;
          expect(at(random)).toBeLessThanOrEqual(at(0));
          expect(at(random)).toBeGreaterThanOrEqual(Math.floor(at(0) * 0.75));
        },
      ),
    );
  });

  it('comes a last time after 24 hours, and not after that', () => {
    const tried = { attempts: 18, pendingSince: NOON };

    expect(nextAttemptAt(tried, NOON + 23 * HOUR, 0)).toBe(NOON + 24 * HOUR);
    expect(nextAttemptAt(tried, NOON + 24 * HOUR, 0)).toBeUndefined();
  });

  it('comes some twenty times in all', () => {
    let at: number | undefined = NOON;
    let attempts = 0;
    for (; at !== undefined; at = nextAttemptAt({ attempts, pendingSince: NOON }, at, 0.5)) attempts += 1;

    expect(attempts).toBeGreaterThan(15);
    expect(attempts).toBeLessThan(25);
  });

  it('does as the receiver asks, within 2 hours', () => {
    const at = (askedMs: number) => (nextAttemptAt({ attempts: 1, pendingSince: NOON }, NOON, 0, askedMs) ?? 0) - NOON;

    expect(at(MINUTE)).toBe(MINUTE);
    expect(at(SECOND)).toBe(5 * SECOND);
    expect(at(10 * HOUR)).toBe(LONGEST_WAIT_MS);
  });
});

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    ['0', 0],
    [new Date(NOON + 90_000).toUTCString(), 90_000],
    [new Date(NOON - 90_000).toUTCString(), 0],
    ['soon', 0],
    ['-5', 0],
    [undefined, 0],
  ])('%s is a wait of %s ms', (header, ms) => {
    expect(askedForMs(header, NOON)).toBe(ms);
  });
});
