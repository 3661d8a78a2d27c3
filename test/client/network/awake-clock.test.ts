import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAwakeClock, startAwakeClock } from '../../../src/client/network/awake-clock.ts';
import { createLink } from '../../../src/client/network/link.ts';
import type { EngineEvent } from '../../../src/client/progress/events.ts';
import { createWallTimes } from '../../../src/client/progress/wall-times.ts';

const DAY_MS = 86_400_000;

describe('a clock that counts the time awake', () => {
  it('goes as its monotonic clock goes', () => {
    let at = 5_000;
    const now = createAwakeClock(() => at);
    for (const ms of [1, 500, 2_000]) {
      at += ms;
      now();
    }
    expect(now()).toBe(2_501);
  });

  it('counts 2 s of a sleep of whatever length, and nothing of a step back', () => {
    let at = 0;
    const now = createAwakeClock(() => at);
    at += 3 * DAY_MS;
    expect(now()).toBe(2_000);
    at -= DAY_MS;
    expect(now()).toBe(2_000);
    at += 700;
    expect(now()).toBe(2_700);
  });
});

describe('with timers of our own', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('reads itself: an hour in which nothing asks it is an hour', async () => {
    vi.useFakeTimers();
    const clock = startAwakeClock();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(clock.now()).toBe(3_600_000);
    clock.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('lets an outage go on through a sleep that is longer than its patience, and ends it after that much time awake', async () => {
    vi.useFakeTimers();
    let sleptMs = 0;
    const clock = startAwakeClock(() => performance.now() + sleptMs);
    const link = createLink({
      what: 'the object store',
      probe: () => Promise.reject(new Error('ECONNREFUSED')),
      maxOutageMs: 20_000,
      onEvent: () => {},
      now: clock.now,
      random: () => 0.5,
    });
    let ended: unknown;
    link.recover('ECONNRESET', new AbortController().signal).catch((error: unknown) => {
      ended = error;
    });
    await vi.advanceTimersByTimeAsync(5_000);
    sleptMs = DAY_MS;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ended).toBeUndefined();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(ended).toMatchObject({ code: 'OUTAGE_TOO_LONG', detail: expect.stringMatching(/for 2\d s \(ECONNREFUSED\)/) });
    clock.stop();
  });
});

describe('the time since when an outage lasts', () => {
  const offline = (since: number): EngineEvent => ({
    type: 'offline',
    what: 'the object store',
    since,
    reason: 'ECONNREFUSED',
    nextTryInMs: 1_000,
  });

  it("is the wall clock's, and stays when the wall clock is set", () => {
    let awake = 10_000;
    let wall = Date.UTC(2026, 10, 30, 12);
    const withWallTimes = createWallTimes(
      () => awake,
      () => wall,
    );
    expect(withWallTimes(offline(7_000))).toMatchObject({ since: wall - 3_000 });
    awake += 1_000;
    wall += 3 * DAY_MS;
    expect(withWallTimes(offline(7_000))).toMatchObject({ since: Date.UTC(2026, 10, 30, 12) - 3_000 });
    expect(withWallTimes(offline(10_500))).toMatchObject({ since: wall - 500 });
  });
});
