import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createRefusals } from '../../../src/client/control-plane/refusals.ts';
import { throughOutages } from '../../../src/client/control-plane/retry.ts';
import type { EngineEvent } from '../../../src/client/progress/events.ts';
import { UploadError } from '../../../src/session/errors.ts';

const MINUTE_MS = 60_000;
const REASON = 'Its disk is full.';

let events: EngineEvent[];
let isServing: boolean;
let newRefused: ReturnType<typeof createRefusals>;
beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  events = [];
  isServing = false;
  newRefused = createRefusals({ what: 'the server', onEvent: (event) => events.push(event), now: Date.now });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A call of the engine to a server that says every two seconds that it cannot serve, until it can. */
function call({ patienceMs = 60 * MINUTE_MS, signal = new AbortController().signal } = {}): Promise<string> {
  return throughOutages(
    async () => {
      if (isServing) return 'served';
      throw new UploadError('STORE_UNAVAILABLE', REASON, { facts: { retryAfterSeconds: 2 } });
    },
    {
      link: { recover: neverDown, whenUp: async () => {} },
      signal,
      maxOutageMs: patienceMs,
      now: Date.now,
      random: () => 0,
      refused: newRefused(),
    },
  );
}

const neverDown = () => Promise.reject(new Error('the link is not down'));

it('a server that cannot serve is reported with its reason and the time of the first refusal, and again once it serves', async () => {
  const served = call();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(events).toEqual([
    { type: 'offline', what: 'the server', refuses: true, since: 0, reason: REASON, nextTryInMs: 2_000 },
    { type: 'offline', what: 'the server', refuses: true, since: 0, reason: REASON, nextTryInMs: 2_000 },
  ]);
  isServing = true;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await served).toBe('served');
  expect(events.slice(2)).toEqual([{ type: 'online', what: 'the server', outageMs: 6_000 }]);
});

it('a server that refuses once and then serves is not worth a word', async () => {
  const served = call();
  await vi.advanceTimersByTimeAsync(1_000);
  isServing = true;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await served).toBe('served');
  expect(events).toEqual([]);
});

it('all calls that wait are one outage, which is over with the last of them', async () => {
  const calls = [call()];
  await vi.advanceTimersByTimeAsync(3_000);
  calls.push(call());
  await vi.advanceTimersByTimeAsync(3_000);
  isServing = true;
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await Promise.all(calls)).toEqual(['served', 'served']);
  const offline = events.filter(({ type }) => type === 'offline');
  expect(offline).toMatchObject([{ since: 0 }, { since: 0 }, { since: 0 }, { since: 0 }]);
  expect(events.filter(({ type }) => type === 'online')).toEqual([{ type: 'online', what: 'the server', outageMs: 8_000 }]);
});

it('a call that gives up, or is interrupted, does not report that the server is back', async () => {
  const interruption = new AbortController();
  const calls = [call({ patienceMs: 5_000 }), call({ signal: interruption.signal })];
  const outcomes = Promise.allSettled(calls);
  await vi.advanceTimersByTimeAsync(7_000);
  interruption.abort(new Error('Ctrl-C'));
  expect((await outcomes).map((outcome) => outcome.status === 'rejected' && outcome.reason)).toMatchObject([
    { code: 'STORE_UNAVAILABLE' },
    { message: 'Ctrl-C' },
  ]);
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['offline']));
});

it('an outage whose waiting calls were all given up ends with the next call that is served', async () => {
  const giveUp = new AbortController();
  const given = call({ signal: giveUp.signal }).catch(() => 'given up');
  await vi.advanceTimersByTimeAsync(5_000);
  giveUp.abort(new Error('the upload needs this call no more'));
  expect(await given).toBe('given up');
  isServing = true;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await call()).toBe('served');
  expect(events.at(-1)).toEqual({ type: 'online', what: 'the server', outageMs: 6_000 });
  expect(await call()).toBe('served');
  expect(events.filter(({ type }) => type === 'online')).toHaveLength(1);
});
