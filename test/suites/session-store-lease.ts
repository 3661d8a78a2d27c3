import { expect, it } from 'vitest';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import { NOON } from '../support/database/sessions.ts';

export function describeSweepLease(current: () => SessionStore): void {
  const acquire = (holder: string, at = NOON, ttlMs = 1_000) => current().acquireSweepLease(holder, at, ttlMs);

  it('is for one at a time', async () => {
    expect(await acquire('a')).toBe(true);
    expect(await acquire('b')).toBe(false);
    expect(await acquire('b', NOON + 999)).toBe(false);
  });

  it('is free when its time has run out', async () => {
    await acquire('a');

    expect(await acquire('b', NOON + 1_000)).toBe(true);
    expect(await acquire('a', NOON + 1_000)).toBe(false);
  });

  it('lasts longer for a holder who asks again, counted from then', async () => {
    await acquire('a');

    expect(await acquire('a', NOON + 900)).toBe(true);
    expect(await acquire('b', NOON + 1_899)).toBe(false);
    expect(await acquire('b', NOON + 1_900)).toBe(true);
  });

  it('is free when its holder has given it back, and nobody else can do that', async () => {
    await acquire('a');

    await current().releaseSweepLease('b');
    expect(await acquire('b')).toBe(false);
    await current().releaseSweepLease('a');
    await current().releaseSweepLease('a');
    expect(await acquire('b')).toBe(true);
  });

  it('is free where it was taken by a clock that was far ahead, and not where that clock was a little ahead', async () => {
    await acquire('wrong', NOON + 8 * 86_400_000);
    expect(await acquire('right')).toBe(true);

    await acquire('right', NOON + 900);
    expect(await acquire('other', NOON)).toBe(false);
  });

  it('is won by exactly one of many that ask at the same time', async () => {
    const won = await Promise.all(Array.from({ length: 20 }, (_, index) => acquire(`server-${index}`)));

    expect(won.filter(Boolean)).toHaveLength(1);
  });
}
