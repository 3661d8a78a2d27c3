import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Link } from '../../src/client/link/link.ts';
import { judgeVitals, type PartVitals, startLiveness } from '../../src/client/link/liveness.ts';

function someVitals(changes: Partial<PartVitals> = {}): PartVitals {
  return { lastMovedAt: 0, gapMs: 50, answerExpectedAt: undefined, held: false, cut: () => {}, ...changes };
}

describe('what to make of a connection', () => {
  it('that moved within three seconds is alive', () => {
    expect(judgeVitals(someVitals(), 2_900, 1, undefined)).toBe('alive');
  });

  it('that was still for longer is suspected, and dead once the other end has answered over another one', () => {
    expect(judgeVitals(someVitals(), 3_100, 1, undefined)).toBe('suspect');
    expect(judgeVitals(someVitals(), 3_100, 1, 0)).toBe('dead');
  });

  it('that is slow as usual is alive', () => {
    expect(judgeVitals(someVitals({ gapMs: 2_000 }), 11_000, 1, undefined)).toBe('alive');
    expect(judgeVitals(someVitals({ gapMs: 2_000 }), 13_000, 1, undefined)).toBe('suspect');
  });

  it('that is held back by a rate limit is alive, however long', () => {
    expect(judgeVitals(someVitals({ held: true }), 600_000, 1, 60_000)).toBe('alive');
  });

  it('that waits for the answer is given time: the store may be writing', () => {
    const waiting = someVitals({ answerExpectedAt: 10_000 });
    expect(judgeVitals(waiting, 12_000, 1, undefined)).toBe('alive');
    expect(judgeVitals(waiting, 14_000, 1, undefined)).toBe('suspect');
    expect(judgeVitals(waiting, 14_000, 1, 0)).toBe('alive');
    expect(judgeVitals(waiting, 31_000, 1, 0)).toBe('dead');
  });

  it('that waits for the answer since before an outage is dead: the answer went into it', () => {
    expect(judgeVitals(someVitals({ answerExpectedAt: 10_000 }), 14_000, 1, 5_000)).toBe('dead');
  });

  it('is judged with more patience where silence proved normal', () => {
    expect(judgeVitals(someVitals(), 10_000, 4, undefined)).toBe('alive');
  });
});

describe('the watch over all connections', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function aWatch(outageMs: number) {
    const asked: string[] = [];
    let troubles = 0;
    const link: Link = {
      recover: async (reason) => {
        asked.push(reason);
        if (outageMs > 0) await new Promise((resolve) => setTimeout(resolve, outageMs));
        return { outageMs };
      },
    };
    const liveness = startLiveness({
      link,
      now: Date.now,
      signal: new AbortController().signal,
      onTrouble: () => {
        troubles += 1;
      },
    });
    const cuts: string[] = [];
    const vitals = someVitals({ lastMovedAt: Date.now(), cut: (reason) => cuts.push(reason) });
    liveness.watch(vitals);
    return { liveness, vitals, cuts, asked, troubles: () => troubles };
  }

  it('replaces a still connection within five seconds when the other end answers', async () => {
    const { cuts, asked, liveness } = aWatch(0);
    await vi.advanceTimersByTimeAsync(5_500);
    expect(asked).toEqual(['nothing moves']);
    expect(cuts).toHaveLength(1);
    liveness.stop();
  });

  it('leaves alone a connection that moves again while the other end is asked', async () => {
    const { vitals, cuts, liveness } = aWatch(2_000);
    await vi.advanceTimersByTimeAsync(4_500);
    vitals.lastMovedAt = Date.now();
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
