import { setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createByteLimiter } from '../../src/client/pace/byte-limiter.ts';

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
      const size = limiter.pieceSize;
      await limiter.take(size, stop.signal);
      bytes += size;
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
    await createByteLimiter(undefined).take(1e12, never);
  });

  it('cuts pieces so small that no one waits long for its turn, yet is never stingy', () => {
    expect(createByteLimiter(undefined).pieceSize).toBe(256 * 1024);
    expect(createByteLimiter(100_000).pieceSize).toBe(25_000);
    expect(createByteLimiter(10).pieceSize).toBe(4_096);
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
