import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Link } from '../../../src/client/network/link.ts';
import { judgeVitals, type PartVitals, startLiveness } from '../../../src/client/network/liveness.ts';

function someVitals(changes: Partial<PartVitals> = {}): PartVitals {
  return { lastMovedAt: 0, bytesTaken: 0, gapMs: 50, waiting: undefined, held: false, cut: () => {}, ...changes };
}

const MiB = 1024 ** 2;
const NOT_KNOWN = 0;
const HANDED_OVER = { kernelMs: 0, queuedBytes: 0 };

/** The answer of one that waits is due at 10 s. */
function judge(vitals: PartVitals, now: number, outageMs: number | undefined, patience = 1) {
  return judgeVitals(vitals, { now, patience, quietMs: 3_000, answerDueAt: 10_000, outageMs });
}

describe('what to make of a connection', () => {
  it('that moved within three seconds is alive', () => {
    expect(judge(someVitals(), 2_900, undefined)).toBe('alive');
  });

  it('that was still for longer is suspected, and dead once the other end has answered over another one', () => {
    expect(judge(someVitals(), 3_100, undefined)).toBe('suspect');
    expect(judge(someVitals(), 3_100, 0)).toBe('dead');
  });

  it('that is slow as usual is alive', () => {
    expect(judge(someVitals({ gapMs: 2_000 }), 11_000, 0)).toBe('alive');
    expect(judge(someVitals({ gapMs: 2_000 }), 13_000, 0)).toBe('dead');
  });

  it('that is held back by a rate limit is alive, however long', () => {
    expect(judge(someVitals({ held: true }), 600_000, 60_000)).toBe('alive');
  });

  it('that waits for the answer is given time: the store may be writing', () => {
    const waiting = someVitals({ waiting: HANDED_OVER });
    expect(judge(waiting, 12_000, undefined)).toBe('alive');
    expect(judge(waiting, 14_000, undefined)).toBe('suspect');
    expect(judge(waiting, 14_000, 0)).toBe('alive');
    expect(judge(waiting, 31_000, 0)).toBe('dead');
  });

  it('that waits for the answer since before an outage is dead: the answer went into it', () => {
    expect(judge(someVitals({ waiting: HANDED_OVER }), 14_000, 5_000)).toBe('dead');
  });

  it('is judged with more patience where silence proved normal', () => {
    expect(judge(someVitals(), 10_000, 0, 4)).toBe('alive');
    expect(judge(someVitals(), 13_000, 0, 4)).toBe('dead');
  });

  it('that is still for a time that is normal here survives a short outage, not a long one: full buffers delay probes, too', () => {
    expect(judge(someVitals({ gapMs: 2_000 }), 11_000, 5_000)).toBe('alive');
    expect(judge(someVitals({ gapMs: 2_000 }), 11_000, 15_000)).toBe('dead');
  });
});

describe('the watch over all connections', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function aWatch(outageMs: number, bytesPerSecond = 8 * MiB) {
    const asked: string[] = [];
    let troubles = 0;
    const link: Link = {
      recover: async (reason) => {
        asked.push(reason);
        if (outageMs > 0) await new Promise((resolve) => setTimeout(resolve, outageMs));
        return { outageMs };
      },
      whenUp: () => Promise.resolve(),
    };
    const liveness = startLiveness({
      link,
      now: () => performance.now(),
      elapsed: Date.now,
      signal: new AbortController().signal,
      onTrouble: () => {
        troubles += 1;
      },
    });
    if (bytesPerSecond !== NOT_KNOWN) liveness.partStored(bytesPerSecond, performance.now() - 1_000);
    const cuts: string[] = [];
    const vitals = someVitals({ lastMovedAt: performance.now(), bytesTaken: 5 * MiB, cut: (reason) => cuts.push(reason) });
    const watch = liveness.watch(vitals);
    return { liveness, vitals, watch, cuts, asked, troubles: () => troubles };
  }

  /** All handed over; two parts' bytes wait in buffers. */
  const TWO_PARTS_QUEUED = { kernelMs: 100, queuedBytes: 10 * MiB };

  it('replaces a still connection within five seconds when the other end answers', async () => {
    const { cuts, asked, liveness } = aWatch(0);
    await vi.advanceTimersByTimeAsync(5_500);
    expect(asked).toEqual(['nothing moves']);
    expect(cuts).toHaveLength(1);
    liveness.stop();
  });

  it('waits longer while nothing is known of the speed of the link', async () => {
    const { cuts, liveness } = aWatch(0, NOT_KNOWN);
    await vi.advanceTimersByTimeAsync(19_000);
    expect(cuts).toEqual([]);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(cuts).toHaveLength(1);
    liveness.stop();
  });

  it('takes a silence for normal that the speed of the link explains', async () => {
    const { cuts, asked, liveness } = aWatch(0, 60 * 1024);
    await vi.advanceTimersByTimeAsync(33_000);
    // The other end is there: it is asked every few seconds, and nothing else happens.
    expect(asked.length).toBeGreaterThan(1);
    expect(cuts).toEqual([]);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(cuts).toHaveLength(1);
    liveness.stop();
  });

  it('leaves alone a part whose bytes wait in buffers on the way, for as long as the speed of the link explains', async () => {
    const { vitals, watch, cuts, liveness } = aWatch(0, 60 * 1024);
    vitals.waiting = TWO_PARTS_QUEUED;
    expect(watch.answerDueAt() - performance.now()).toBeGreaterThan(170_000);
    await vi.advanceTimersByTimeAsync(170_000);
    expect(cuts).toEqual([]);
    await vi.advanceTimersByTimeAsync(250_000);
    expect(cuts).toHaveLength(1);
    liveness.stop();
  });

  it('leaves alone the first part in a deep buffer, and cuts it once other answers say that it is late', async () => {
    const { vitals, cuts, liveness } = aWatch(0, NOT_KNOWN);
    vitals.waiting = TWO_PARTS_QUEUED;
    await vi.advanceTimersByTimeAsync(200_000);
    expect(cuts).toEqual([]);
    liveness.partStored(8 * MiB, performance.now() - 1_000);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(cuts).toHaveLength(1);
    liveness.stop();
  });

  it('notices an outage while all wait for answers, and cuts them only if it was long', async () => {
    const short = aWatch(5_000, 60 * 1024);
    const long = aWatch(15_000, 60 * 1024);
    for (const { vitals } of [short, long]) vitals.waiting = TWO_PARTS_QUEUED;
    await vi.advanceTimersByTimeAsync(33_000);
    expect([short.asked, long.asked]).toEqual([['nothing moves'], ['nothing moves']]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect([short.cuts.length, long.cuts.length]).toEqual([0, 1]);
    short.liveness.stop();
    long.liveness.stop();
  });

  it('leaves alone a connection that moves again while the other end is asked', async () => {
    const { vitals, cuts, liveness } = aWatch(2_000);
    await vi.advanceTimersByTimeAsync(4_500);
    vitals.lastMovedAt = performance.now();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(cuts).toEqual([]);
    liveness.stop();
  });

  it('cuts nothing while the link is down, and at once when it is back after long', async () => {
    const { cuts, liveness, troubles } = aWatch(60_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(cuts).toEqual([]);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(cuts).toHaveLength(1);
    expect(troubles()).toBe(1);
    liveness.stop();
  });

  it('cuts a connection that was opened during an outage, too: its first packet may be sent again a minute later', async () => {
    const { liveness } = aWatch(60_000);
    await vi.advanceTimersByTimeAsync(30_000);
    const cuts: string[] = [];
    liveness.watch(someVitals({ lastMovedAt: performance.now(), cut: (reason) => cuts.push(reason) }));
    await vi.advanceTimersByTimeAsync(34_000);
    expect(cuts).toHaveLength(1);
    liveness.stop();
  });

  it('notices that the machine slept, and that nothing moved meanwhile', async () => {
    const { cuts, asked, liveness } = aWatch(0);
    vi.setSystemTime(Date.now() + 120_000);
    await vi.advanceTimersByTimeAsync(600);
    expect(asked).toEqual(['the machine slept']);
    expect(cuts).toHaveLength(1);
    liveness.stop();
  });

  it('asks no more once it is stopped', async () => {
    const { asked, liveness } = aWatch(0);
    liveness.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual([]);
  });
});
