import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askedForMs, throughOutages, untilAllowed } from '../../../src/client/control-plane/retry.ts';
import { UploadError } from '../../../src/session/errors.ts';

const MINUTE_MS = 60_000;
const limited = (retryAfterSeconds?: unknown) => new UploadError('RATE_LIMITED', 'too many', { facts: { retryAfterSeconds } });
const signal = new AbortController().signal;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const callsOfTheEngine = <Result>(call: () => Promise<Result>) => {
  const recover = () => Promise.reject(new Error('the link is not down'));
  const link = { recover, whenUp: async () => {} };
  const refused = { again() {}, served() {}, givenUp() {} };
  return throughOutages(call, { link, signal, maxOutageMs: 24 * 60 * MINUTE_MS, now: Date.now, random: Math.random, refused });
};

describe.each([
  ['the engine', callsOfTheEngine],
  ['a command that begins', <Result>(call: () => Promise<Result>) => untilAllowed(call, signal)],
])('a rate limit, to %s', (_, through) => {
  it('is a reason to wait as long as the server says, as often as it says so', async () => {
    const calledAt: number[] = [];
    const startedAt = Date.now();
    const result = through(async () => {
      calledAt.push(Date.now() - startedAt);
      if (calledAt.length <= 4) throw limited(30);
      return 'let through';
    });
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS);
    expect(await result).toBe('let through');
    expect(calledAt).toEqual([0, 30_000, 60_000, 90_000, 120_000]);
  });

  it('is waited for longer and longer where the server does not say', async () => {
    let calls = 0;
    const result = through(async () => {
      calls += 1;
      if (calls <= 20) throw limited();
      return 'let through';
    });
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(calls).toBeLessThan(20);
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS);
    expect(await result).toBe('let through');
  });
});

describe('waiting to begin', () => {
  it('ends after ten minutes with the reason', async () => {
    const result = untilAllowed(() => Promise.reject(limited(60)), signal);
    const refused = expect(result).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await vi.advanceTimersByTimeAsync(12 * MINUTE_MS);
    await refused;
  });

  it('ends at once when the command is interrupted', async () => {
    const interruption = new AbortController();
    const result = untilAllowed(() => Promise.reject(limited(60)), interruption.signal);
    const ended = expect(result).rejects.toThrow('Ctrl-C');
    await vi.advanceTimersByTimeAsync(1_000);
    interruption.abort(new Error('Ctrl-C'));
    await ended;
  });

  it('is not for other refusals', async () => {
    const refusal = new UploadError('UNAUTHORIZED', 'unknown');
    await expect(untilAllowed(() => Promise.reject(refusal), signal)).rejects.toBe(refusal);
  });
});

describe('the time that a server asks for', () => {
  it.each([
    [7, 7_000],
    ['7', 7_000],
    [86_400, MINUTE_MS],
    [-1, 0],
    ['soon', 0],
    [undefined, 0],
    [null, 0],
  ])('%j is a wait of %i ms', (seconds, ms) => {
    expect(askedForMs(limited(seconds))).toBe(ms);
  });
});
