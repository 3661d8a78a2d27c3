import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CutAttempt, createCutWatch, findCutPattern } from '../../../src/client/network/cut-pattern.ts';
import { MiB } from '../../../src/session/part-plan.ts';

/** Attempts one after another, each with an age and the bytes that its socket took, a second apart. */
function cutsOf(...attempts: readonly (readonly [ageMs: number, bytes: number])[]): CutAttempt[] {
  let at = 0;
  return attempts.map(([ageMs, bytes]) => {
    const startedAt = at + 1_000;
    at = startedAt + ageMs;
    return { startedAt, endedAt: at, bytes };
  });
}

describe('a pattern of cuts', () => {
  it('is three in a row at about the same age', () => {
    expect(findCutPattern(cutsOf([3_010, 4 * MiB], [3_100, 9 * MiB], [2_980, 2 * MiB]))).toEqual({
      by: 'time',
      afterMs: 3_030,
      leastBytes: 2 * MiB,
      mostBytes: 9 * MiB,
    });
  });

  it('is three in a row after about as many bytes, however long they took', () => {
    expect(findCutPattern(cutsOf([900, 8 * MiB], [5_000, 8.4 * MiB], [2_000, 8.1 * MiB]))).toMatchObject({ by: 'size' });
  });

  it.each([
    ['two cuts', cutsOf([3_000, MiB], [3_000, MiB])],
    ['other ages and other sizes', cutsOf([1_000, MiB], [9_000, 20 * MiB], [4_000, 8 * MiB])],
    ['connections that are refused at once', cutsOf([10, 0], [12, 1_000], [9, 0])],
    ['answers that came at once', cutsOf([10, MiB], [12, MiB], [9, MiB]).map((cut) => ({ ...cut, answered: true }))],
  ])('is not seen in %s', (_, cuts) => {
    expect(findCutPattern(cuts)).toBeUndefined();
  });

  it('is not seen where one break ended many connections that were begun together, however many', () => {
    const together = fc.array(
      fc.record({ startedAt: fc.integer({ min: 0, max: 999 }), bytes: fc.integer({ min: 0, max: 32 * MiB }) }),
      {
        minLength: 3,
        maxLength: 16,
      },
    );
    fc.assert(
      fc.property(together, (attempts) => {
        const cuts = attempts.map((attempt, index) => ({ ...attempt, endedAt: 5_000 + index }));
        expect(findCutPattern(cuts)).toBeUndefined();
      }),
    );
  });

  it('by time is found whatever the speed, the number of parts in flight and the jitter of a proxy with a limit', () => {
    const scene = fc.record({
      limitMs: fc.integer({ min: 2_000, max: 120_000 }),
      inFlight: fc.integer({ min: 1, max: 16 }),
      jitter: fc.array(fc.double({ min: 0, max: 0.2, noNaN: true }), { minLength: 64, maxLength: 64 }),
      pauseMs: fc.integer({ min: 0, max: 5_000 }),
    });
    fc.assert(
      fc.property(scene, ({ limitMs, inFlight, jitter, pauseMs }) => {
        const cuts: CutAttempt[] = [];
        for (let lane = 0; lane < inFlight; lane++) {
          let at = lane;
          for (let attempt = 0; attempt < 4; attempt++) {
            const ageMs = limitMs * (1 + (jitter[lane * 4 + attempt] ?? 0));
            cuts.push({ startedAt: at, endedAt: at + ageMs, bytes: lane * MiB });
            at += ageMs + pauseMs;
          }
        }
        cuts.sort((a, b) => a.endedAt - b.endedAt);
        expect(findCutPattern(cuts)?.by).toBe('time');
      }),
    );
  });
});

describe('the cuts of a run', () => {
  const [first, second, third] = cutsOf([3_000, MiB], [3_000, 2 * MiB], [3_000, 3 * MiB]) as [CutAttempt, CutAttempt, CutAttempt];

  it('make a pattern with the third', () => {
    const watch = createCutWatch();
    expect([watch.cut(first), watch.cut(second)]).toEqual([undefined, undefined]);
    expect(watch.cut(third)).toMatchObject({ by: 'time', afterMs: 3_000 });
  });

  it('before an outage count no longer', () => {
    const watch = createCutWatch();
    watch.cut(first);
    watch.cut(second);
    watch.forget();
    expect(watch.cut(third)).toBeUndefined();
  });

  it('are refuted by a part that took longer, and by one that was larger', () => {
    for (const passed of [
      { startedAt: 0, endedAt: 3_001, bytes: 1 },
      { startedAt: 0, endedAt: 1, bytes: 5 * MiB },
    ]) {
      const watch = createCutWatch();
      watch.cut(first);
      watch.cut(second);
      watch.passed(passed);
      expect(watch.cut(third)).toBeUndefined();
    }
  });

  it('are not refuted by the last part of a file, which is small and quick', () => {
    const watch = createCutWatch();
    watch.cut(first);
    watch.cut(second);
    watch.passed({ startedAt: 0, endedAt: 200, bytes: 1_000 });
    expect(watch.cut(third)).toMatchObject({ by: 'time' });
  });
});
