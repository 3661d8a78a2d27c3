import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planSmallerParts, smallestPartSize } from '../../../src/client/part/smaller-parts.ts';
import { GiB, MiB, type PartPlan, planParts } from '../../../src/session/part-plan.ts';

const cutAt = (bytes: number, by: 'time' | 'size' = 'time') => ({ by, afterMs: 3_000, leastBytes: bytes, mostBytes: bytes });
const aPlan = (size: number, partSize: number): PartPlan => planParts(size, 'multipart', partSize);

describe('the plan after one whose parts do not get through', () => {
  it('has parts of half of what got through at the most', () => {
    expect(planSmallerParts(aPlan(GiB, 32 * MiB), GiB, cutAt(20 * MiB))).toEqual({ strategy: 'multipart', partSize: 10 * MiB });
  });

  it('has parts half as large where all that is known is that they are too large', () => {
    expect(planSmallerParts(aPlan(GiB, 16 * MiB), GiB, { by: 'refusal' })?.partSize).toBe(8 * MiB);
  });

  it('is not one part any more', () => {
    const single: PartPlan = { strategy: 'single', partSize: 60 * MiB, partCount: 1 };
    expect(planSmallerParts(single, 60 * MiB, cutAt(12 * MiB))).toEqual({ strategy: 'chunked', partSize: 6 * MiB });
    const large: PartPlan = { strategy: 'single', partSize: 4 * GiB, partCount: 1 };
    expect(planSmallerParts(large, 4 * GiB, cutAt(12 * MiB))?.strategy).toBe('multipart');
  });

  it('does not exist below what S3 takes, nor where what was cut was smaller than that', () => {
    expect(planSmallerParts(aPlan(GiB, 5 * MiB), GiB, cutAt(3 * MiB))).toBeUndefined();
    expect(planSmallerParts(aPlan(GiB, 16 * MiB), GiB, cutAt(MiB, 'size'))).toBeUndefined();
    expect(planSmallerParts({ strategy: 'single', partSize: MiB, partCount: 1 }, MiB, { by: 'refusal' })).toBeUndefined();
  });

  it('is always one that S3 takes, with parts smaller than before, and comes to an end', () => {
    const situation = fc.record({
      size: fc.integer({ min: 0, max: 5 * 1024 * GiB }),
      partSize: fc.integer({ min: 5 * MiB, max: 5 * GiB }),
      carried: fc.integer({ min: 0, max: 5 * GiB }),
      by: fc.constantFrom('time' as const, 'size' as const, 'refusal' as const),
    });
    fc.assert(
      fc.property(situation, ({ size, partSize, carried, by }) => {
        let plan = aPlan(size, Math.max(partSize, smallestPartSize(size)));
        for (let steps = 0; ; steps++) {
          expect(steps).toBeLessThan(12);
          const next = planSmallerParts(plan, size, by === 'refusal' ? { by } : cutAt(carried, by));
          if (next === undefined) return;
          expect(next.partSize).toBeLessThan(plan.partSize);
          plan = planParts(size, next.strategy, next.partSize);
        }
      }),
    );
  });
});
