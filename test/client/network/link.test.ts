import { getEventListeners, setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLink, waitBefore, waitBetweenProbes } from '../../../src/client/network/link.ts';
import { LinkFailure } from '../../../src/client/network/link-failure.ts';
import type { EngineEvent } from '../../../src/client/progress/events.ts';
import { UploadError } from '../../../src/session/errors.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 23, 14, 2) });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A link to something that is away until `comesBackAfter` probes were in vain. */
function aLink({ comesBackAfter = 0, maxOutageMs = 86_400_000 } = {}) {
  const events: EngineEvent[] = [];
  let probes = 0;
  const link = createLink({
    what: 'the object store',
    probe: async () => {
      probes += 1;
      if (probes <= comesBackAfter) throw new Error(`ECONNREFUSED (${probes})`);
    },
    maxOutageMs,
    onEvent: (event) => events.push(event),
    random: () => 0,
  });
  return { link, events, probes: () => probes };
}

const never = new AbortController().signal;
// Many waits listen to it.
setMaxListeners(0, never);

describe('a link', () => {
  it('goes on at once and says nothing when the other end answers: only a connection broke', async () => {
    const { link, events, probes } = aLink();
    await link.recover('ECONNRESET', never);
    expect(probes()).toBe(1);
    expect(events).toEqual([]);
  });

  it.each([0, 2])('does not wait out a mistake in its own probe, after %i in vain', async (inVain) => {
    const mistake = new TypeError('Invalid URL');
    let probes = 0;
    const link = createLink({
      what: 'the object store',
      probe: async () => {
        throw probes++ < inVain ? new Error('ECONNREFUSED') : mistake;
      },
      maxOutageMs: 86_400_000,
      onEvent: () => {},
    });
    const recovered = expect(link.recover('ECONNRESET', never)).rejects.toBe(mistake);
    await vi.runAllTimersAsync();
    await recovered;
    expect(probes).toBe(inVain + 1);
  });

  it('ends at once for a certificate that is not trusted where the other end has never answered, and else waits', async () => {
    const refusal = new LinkFailure(Object.assign(new Error('no'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' }));
    const aRefusedLink = (hasAnswered: boolean, events: EngineEvent[]) =>
      createLink({
        what: 'the object store',
        probe: () => Promise.reject(refusal),
        hasAnswered: () => hasAnswered,
        maxOutageMs: 60_000,
        onEvent: (event) => events.push(event),
      });
    const events: EngineEvent[] = [];
    await expect(aRefusedLink(false, events).recover('ECONNRESET', never)).rejects.toMatchObject({
      code: 'CERTIFICATE_NOT_TRUSTED',
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect(events).toEqual([]);
    const before: EngineEvent[] = [];
    const recovered = expect(aRefusedLink(true, before).recover('ECONNRESET', never)).rejects.toMatchObject({
      code: 'OUTAGE_TOO_LONG',
    });
    await vi.runAllTimersAsync();
    await recovered;
    expect(before[0]).toMatchObject({ type: 'offline', reason: 'its certificate is not trusted (SELF_SIGNED_CERT_IN_CHAIN)' });
  });

  it('says since when it is offline, why and when it tries again, and how long it was', async () => {
    const { link, events } = aLink({ comesBackAfter: 2 });
    const since = performance.now();
    const recovered = link.recover('ECONNRESET', never);
    await vi.runAllTimersAsync();
    await recovered;
    expect(events).toEqual([
      { type: 'offline', what: 'the object store', since, reason: 'ECONNREFUSED (1)', nextTryInMs: 1_050 },
      { type: 'offline', what: 'the object store', since, reason: 'ECONNREFUSED (2)', nextTryInMs: 1_050 },
      { type: 'online', what: 'the object store', outageMs: 2_100 },
    ]);
  });

  it('is probed once for all waiting parts, which go on together', async () => {
    const { link, probes } = aLink({ comesBackAfter: 3 });
    const waiting = Promise.all(Array.from({ length: 16 }, () => link.recover('ECONNRESET', never)));
    await vi.runAllTimersAsync();
    await waiting;
    expect(probes()).toBe(4);
  });

  it('probes again for the next outage', async () => {
    const { link, probes } = aLink({ comesBackAfter: 1 });
    const first = link.recover('ECONNRESET', never);
    await vi.runAllTimersAsync();
    await first;
    await link.recover('ECONNRESET', never);
    expect(probes()).toBe(3);
  });

  it('gives up when the outage has lasted as long as it may, saying for how long and why', async () => {
    const { link, events } = aLink({ comesBackAfter: Number.POSITIVE_INFINITY, maxOutageMs: 5 * 60_000 });
    const failed = link.recover('ECONNRESET', never).catch((error: unknown) => error);
    await vi.runAllTimersAsync();
    const error = await failed;
    expect(error).toMatchObject({ code: 'OUTAGE_TOO_LONG' });
    expect((error as Error).message).toMatch(/the object store for 5 minutes \(ECONNREFUSED/);
    expect(events.filter((event) => event.type === 'online')).toEqual([]);
  });

  it('fails all waiting parts when it gives up, and can be asked again', async () => {
    const { link } = aLink({ comesBackAfter: 3, maxOutageMs: 0 });
    const outcomes = await Promise.allSettled([link.recover('a', never), link.recover('b', never)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(link.recover('c', never)).rejects.toThrow('(ECONNREFUSED (2))');
  });

  it('stops waiting as soon as the signal says so, and leaves no listener on it', async () => {
    const { link } = aLink({ comesBackAfter: Number.POSITIVE_INFINITY });
    const stop = new AbortController();
    const reason = new Error('interrupted');
    const failed = link.recover('ECONNRESET', stop.signal).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(60_000);
    stop.abort(reason);
    expect(await failed).toBe(reason);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not count the time of a pause as an outage that is too long', async () => {
    let pausedMs = 1_000_000;
    const link = createLink({
      what: 'the object store',
      probe: () => Promise.reject(new Error('ECONNREFUSED')),
      maxOutageMs: 60_000,
      pausedMs: () => pausedMs,
      onEvent: () => {},
    });
    let failedAt: number | undefined;
    const startedAt = Date.now();
    void link.recover('ECONNRESET', never).catch(() => {
      failedAt = Date.now();
    });
    await vi.advanceTimersByTimeAsync(30_000);
    for (let second = 0; second < 600; second++) {
      pausedMs += 1_000;
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(failedAt).toBeUndefined();
    await vi.advanceTimersByTimeAsync(35_000);
    expect((failedAt ?? 0) - startedAt).toBeGreaterThanOrEqual(660_000);
  });

  it('asks again while a slow probe is still on its way, and goes on with whichever answers first', async () => {
    const events: EngineEvent[] = [];
    let probes = 0;
    const link = createLink({
      what: 'the object store',
      // The first is swallowed by the outage; the third comes after it.
      probe: (signal) => {
        probes += 1;
        if (probes === 3) return Promise.resolve();
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
      },
      maxOutageMs: 86_400_000,
      onEvent: (event) => events.push(event),
      random: () => 1,
    });
    const recovered = link.recover('nothing moves', never);
    await vi.advanceTimersByTimeAsync(10_000);
    // 4 s for the first, then one each 1.5 s with a moment for a prompt answer.
    expect(await recovered).toEqual({ outageMs: 4_000 + 1_500 + 250 + 1_500 });
    expect(events.at(-1)).toMatchObject({ type: 'online' });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('holds parts that want to begin while it is down, and none before or after', async () => {
    let answers = false;
    const link = createLink({
      what: 'the object store',
      probe: async () => {
        if (!answers) throw new Error('ECONNREFUSED');
      },
      maxOutageMs: 86_400_000,
      onEvent: () => {},
    });
    await link.whenUp(never);
    const recovered = link.recover('ECONNRESET', never);
    await link.whenUp(never);
    await vi.advanceTimersByTimeAsync(100);
    let began = false;
    const beginning = link.whenUp(never).then(() => {
      began = true;
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(began).toBe(false);
    answers = true;
    await vi.advanceTimersByTimeAsync(2_000);
    await Promise.all([recovered, beginning]);
    await link.whenUp(never);
  });

  it('ends only the wait of the part that is interrupted while it is down', async () => {
    const link = createLink({
      what: 'the object store',
      probe: () => Promise.reject(new Error('ECONNREFUSED')),
      maxOutageMs: 60_000,
      onEvent: () => {},
    });
    const others = link.recover('ECONNRESET', never).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(100);
    const interruption = new AbortController();
    const waiting = [link.recover('ECONNRESET', interruption.signal), link.whenUp(interruption.signal)];
    interruption.abort(new Error('interrupted'));
    for (const one of waiting) await expect(one).rejects.toThrow('interrupted');
    await vi.advanceTimersByTimeAsync(70_000);
    expect(await others).toMatchObject({ code: 'OUTAGE_TOO_LONG' });
  });

  it("gives the control plane's failure by its reason, not as a whole sentence", async () => {
    const events: EngineEvent[] = [];
    let away = true;
    const link = createLink({
      what: 'the partway server',
      probe: async () => {
        if (!away) return;
        away = false;
        throw new UploadError('SERVER_UNREACHABLE', 'A long sentence.', { facts: { reason: 'ECONNREFUSED' } });
      },
      maxOutageMs: 60_000,
      onEvent: (event) => events.push(event),
    });
    const recovered = link.recover('x', never);
    await vi.runAllTimersAsync();
    await recovered;
    expect(events[0]).toMatchObject({ type: 'offline', reason: 'ECONNREFUSED' });
  });
});

describe('the wait between probes', () => {
  it('is short at first and longer in a long outage', () => {
    const minute = 60_000;
    expect([0, 9 * minute, 11 * minute, 59 * minute, 61 * minute, 2_000 * minute].map((ms) => waitBetweenProbes(ms, 1))).toEqual([
      1_500, 1_500, 5_000, 5_000, 20_000, 20_000,
    ]);
    expect(waitBetweenProbes(0, 0)).toBe(1_050);
  });
});

describe('the wait before another attempt', () => {
  it('doubles from half a second to ten, less up to a half by chance', () => {
    expect([0, 1, 2, 3, 4, 5, 50, 2_000].map((attempt) => waitBefore(attempt, 1))).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000,
    ]);
    expect([0, 1, 5, 2_000].map((attempt) => waitBefore(attempt, 0))).toEqual([250, 500, 5_000, 5_000]);
  });
});
