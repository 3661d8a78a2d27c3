import { expect, it } from 'vitest';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import { NOON } from '../support/database/sessions.ts';

export function describeSweepLease(current: () => SessionStore): void {
  const acquire = (holder: string, at = NOON, ttlMs = 1_000) => current().acquireSweepLease(holder, at, ttlMs);

  it('is held by one server at a time', async () => {
    expect(await acquire('a')).toBe(true);
    expect(await acquire('b')).toBe(false);
    expect(await acquire('b', NOON + 999)).toBe(false);
  });

  it('is free once its time is over', async () => {
    await acquire('a');

    expect(await acquire('b', NOON + 1_000)).toBe(true);
    expect(await acquire('a', NOON + 1_000)).toBe(false);
  });

  it('is renewed for a holder that asks again, counted from then', async () => {
    await acquire('a');

    expect(await acquire('a', NOON + 900)).toBe(true);
    expect(await acquire('b', NOON + 1_899)).toBe(false);
    expect(await acquire('b', NOON + 1_900)).toBe(true);
  });

  it('is free once its holder has released it, and no other server can do that', async () => {
    await acquire('a');

    await current().releaseSweepLease('b');
    expect(await acquire('b')).toBe(false);
    await current().releaseSweepLease('a');
    await current().releaseSweepLease('a');
    expect(await acquire('b')).toBe(true);
  });

  it('is free if it was taken by a clock that was far ahead, but not if that clock was a little ahead', async () => {
    await acquire('wrong', NOON + 8 * 86_400_000);
    expect(await acquire('right')).toBe(true);

    await acquire('right', NOON + 900);
    expect(await acquire('other', NOON)).toBe(false);
  });

  it('is given to exactly one of many servers that ask at the same time', async () => {
    const won = await Promise.all(Array.from({ length: 20 }, (_, index) => acquire(`server-${index}`)));

    expect(won.filter(Boolean)).toHaveLength(1);
  });
}
