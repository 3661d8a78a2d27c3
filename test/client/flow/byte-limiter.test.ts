import { setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createByteLimiter } from '../../../src/client/flow/byte-limiter.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const never = new AbortController().signal;

/** Bytes that so many parts, each as fast as it may be, get through in so many seconds. */
async function bytesIn(seconds: number, limiter: ReturnType<typeof createByteLimiter>, parts: number): Promise<number> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  let bytes = 0;
  const sending = Array.from({ length: parts }, async () => {
    while (!stop.signal.aborted) {
      const taken = await limiter.take(256 * 1024, stop.signal);
      bytes += taken;
    }
  });
  await vi.advanceTimersByTimeAsync(seconds * 1_000);
  stop.abort();
  await Promise.allSettled(sending);
  return bytes;
}

describe('a byte limiter', () => {
  it.each([
    [2_000, 1],
    [64_000, 4],
    [1_000_000, 4],
    [50_000_000, 16],
  ])('keeps all parts together at %i bytes a second, neither above nor far below', async (rate, parts) => {
    const bytes = await bytesIn(60, createByteLimiter(rate), parts);
    expect(bytes / 60 / rate).toBeGreaterThan(0.9);
    expect(bytes / 60 / rate).toBeLessThan(1.15);
  });

  it('can be changed while it works', async () => {
    const limiter = createByteLimiter(1_000_000);
    const before = bytesIn(10, limiter, 2);
    expect((await before) / 10).toBeLessThan(1_150_000);
    limiter.bytesPerSecond = 100_000;
    expect((await bytesIn(30, limiter, 2)) / 30).toBeLessThan(115_000);
  });

  it('lets everything through at once without a rate', async () => {
    expect(await createByteLimiter(undefined).take(1e12, never)).toBe(1e12);
  });

  it.each([
    [1e9, 262_144],
    [100_000, 25_000],
    [1_024, 1_024],
  ])('cuts pieces so small at %i bytes a second that no one waits long for its turn: %i', async (rate, piece) => {
    expect(await createByteLimiter(rate).take(1e12, never)).toBe(piece);
    expect(await createByteLimiter(rate).take(1_000, never)).toBe(1_000);
  });

  it('does not keep parts waiting at a rate that was taken away', async () => {
    const limiter = createByteLimiter(10_000);
    await limiter.take(2_500, never);
    const waiting = [1, 2, 3].map(() => limiter.take(256 * 1024, never));
    limiter.bytesPerSecond = undefined;
    // No time passes in this test.
    expect(await Promise.all(waiting)).toEqual([262_144, 262_144, 262_144]);
  });

  it('applies a lower rate to parts that wait already, without a burst', async () => {
    const limiter = createByteLimiter(10_000_000);
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    let bytes = 0;
    const sending = Array.from({ length: 16 }, async () => {
      for (;;) {
        const taken = await limiter.take(256 * 1024, stop.signal);
        bytes += taken;
      }
    });
    await vi.advanceTimersByTimeAsync(1_000);
    limiter.bytesPerSecond = 10_000;
    const before = bytes;
    await vi.advanceTimersByTimeAsync(10_000);
    expect((bytes - before) / 10).toBeGreaterThan(9_000);
    expect((bytes - before) / 10).toBeLessThan(11_500);
    stop.abort();
    await Promise.allSettled(sending);
  });

  it('stops waiting as soon as the signal says so', async () => {
    const limiter = createByteLimiter(1);
    await limiter.take(1_000, never);
    const stop = new AbortController();
    const waiting = limiter.take(1, stop.signal).catch((error: unknown) => error);
    const reason = new Error('interrupted');
    stop.abort(reason);
    expect(await waiting).toBe(reason);
  });
});
