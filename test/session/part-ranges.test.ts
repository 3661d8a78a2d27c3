import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { missingRanges, partNumbersOf } from '../../src/session/part-ranges.ts';

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe('ranges of missing parts', () => {
  it('name exactly the parts that are not stored, for any of them', () => {
    const plan = fc
      .integer({ min: 1, max: 300 })
      .chain((partCount) => fc.tuple(fc.constant(partCount), fc.subarray(upTo(partCount))));
    fc.assert(
      fc.property(plan, ([partCount, stored]) => {
        const missing = [...partNumbersOf(missingRanges(partCount, stored))];
        expect(missing).toEqual(upTo(partCount).filter((partNumber) => !stored.includes(partNumber)));
      }),
      { seed: 20261123 },
    );
  });

  it('are as few as possible, ascending, and never adjacent', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 })), (stored) => {
        const ranges = missingRanges(60, stored);
        for (const [index, { first, last }] of ranges.entries()) {
          expect(first).toBeLessThanOrEqual(last);
          expect(first).toBeGreaterThan((ranges[index - 1]?.last ?? -1) + 1);
        }
        // The missing ranges of the missing parts are the stored parts.
        const present = missingRanges(60, partNumbersOf(ranges));
        expect([...partNumbersOf(present)]).toEqual([...stored].sort((a, b) => a - b));
      }),
      { seed: 20261123 },
    );
  });

  it('are one range when nothing is stored, and none when everything is', () => {
    expect(missingRanges(10_000, [])).toEqual([{ first: 1, last: 10_000 }]);
    expect(missingRanges(10_000, upTo(10_000))).toEqual([]);
  });

  it('do not depend on order and repeats, and ignore part numbers outside the plan', () => {
    expect(missingRanges(5, [4, 2, 2, 4, 0, 6, 7])).toEqual([
      { first: 1, last: 1 },
      { first: 3, last: 3 },
      { first: 5, last: 5 },
    ]);
  });
});
