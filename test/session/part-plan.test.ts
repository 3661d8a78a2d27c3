import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UploadError } from '../../src/session/errors.ts';
import { GiB, MiB, type PartPlan, partLength, partRange, planParts, S3_LIMITS } from '../../src/session/part-plan.ts';
import { STRATEGIES, type Strategy } from '../../src/session/strategy.ts';

const TiB = 1024 * GiB;

/** Sizes of all magnitudes, including those around multiples of a MiB, where rounding goes wrong. */
const size = fc.oneof(
  fc.integer({ min: 0, max: 64 * MiB }),
  fc.integer({ min: 0, max: 5 * TiB }),
  fc
    .tuple(fc.integer({ min: 0, max: 5 * 1024 * 1024 }), fc.integer({ min: -1, max: 1 }))
    .map(([mebibytes, delta]) => Math.min(5 * TiB, Math.max(0, mebibytes * MiB + delta))),
);

function rangesOf(plan: PartPlan, bytes: number) {
  return Array.from({ length: plan.partCount }, (_, index) => partRange(plan, bytes, index + 1));
}

function expectToCoverOnce(plan: PartPlan, bytes: number): void {
  const ranges = rangesOf(plan, bytes);
  expect(ranges.length).toBeGreaterThanOrEqual(1);
  expect(ranges.length).toBeLessThanOrEqual(10_000);
  let covered = 0;
  for (const [index, { start, end }] of ranges.entries()) {
    const isLast = index === ranges.length - 1;
    if (start !== covered) throw new Error(`part ${index + 1} starts at ${start}, not at ${covered}`);
    if (!isLast && end - start !== plan.partSize) throw new Error(`part ${index + 1} has ${end - start} bytes`);
    covered = end;
  }
  expect(covered).toBe(bytes);
  expect(partLength(plan, bytes, plan.partCount)).toBeLessThanOrEqual(plan.partSize);
  if (bytes > 0) expect(partLength(plan, bytes, plan.partCount)).toBeGreaterThan(0);
}

function refusal(act: () => unknown): UploadError {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(UploadError);
    expect((error as UploadError).code).toBe('INVALID_PLAN');
    return error as UploadError;
  }
  throw new Error('nothing was refused');
}

describe('a part plan', () => {
  it.each<Strategy>(['chunked', 'multipart'])('covers every byte of any file exactly once, in order (%s)', (strategy) => {
    fc.assert(
      fc.property(size, (bytes) => {
        const plan = planParts(bytes, strategy);
        expectToCoverOnce(plan, bytes);
        expect(plan.partSize).toBeGreaterThanOrEqual(S3_LIMITS.minPartSize);
        expect(plan.partSize).toBeLessThanOrEqual(S3_LIMITS.maxPartSize);
      }),
      { seed: 20261123, numRuns: 100 },
    );
  });

  it('covers every byte with any requested part size, or refuses it and names one that fits', () => {
    const partSize = fc.oneof(fc.integer({ min: 5 * MiB, max: 64 * MiB }), fc.integer({ min: 5 * MiB, max: 5 * GiB }));
    fc.assert(
      fc.property(size, partSize, (bytes, requested) => {
        if (Math.ceil(bytes / requested) <= 10_000) {
          const plan = planParts(bytes, 'multipart', requested);
          expect(plan.partSize).toBe(requested);
          expectToCoverOnce(plan, bytes);
        } else {
          const { detail } = refusal(() => planParts(bytes, 'multipart', requested));
          const named = Number(/smallest part size for this file is (\d+) bytes/.exec(detail)?.[1]);
          expectToCoverOnce(planParts(bytes, 'multipart', named), bytes);
          refusal(() => planParts(bytes, 'multipart', named - 1));
        }
      }),
      { seed: 20261123, numRuns: 100 },
    );
  });

  it('depends on nothing but its arguments', () => {
    fc.assert(
      fc.property(size, fc.constantFrom<Strategy>('chunked', 'multipart'), (bytes, strategy) => {
        expect(planParts(bytes, strategy)).toEqual(planParts(bytes, strategy));
      }),
      { seed: 20261123 },
    );
  });

  it.each(STRATEGIES)('has one part of 0 bytes for a file of 0 bytes (%s)', (strategy) => {
    const plan = planParts(0, strategy);
    expect(plan.partCount).toBe(1);
    expect(partRange(plan, 0, 1)).toEqual({ start: 0, end: 0 });
  });

  it('has exactly one part for `single`, of the size of the file', () => {
    for (const bytes of [1, 99_999_999, 5 * GiB]) {
      expect(planParts(bytes, 'single')).toEqual({ strategy: 'single', partSize: bytes, partCount: 1 });
    }
  });

  it('has one part for a file of exactly one part, and a second one of 1 byte for 1 byte more', () => {
    expect(planParts(10 * MiB, 'chunked').partCount).toBe(1);
    const plan = planParts(10 * MiB + 1, 'chunked');
    expect(rangesOf(plan, 10 * MiB + 1)).toEqual([
      { start: 0, end: 10 * MiB },
      { start: 10 * MiB, end: 10 * MiB + 1 },
    ]);
    expect(planParts(8 * MiB, 'multipart').partCount).toBe(1);
    expect(planParts(8 * MiB + 1, 'multipart').partCount).toBe(2);
  });

  it('cuts 100 MB into 10 MiB chunks and more than 1 GB into parts of 8 MiB', () => {
    expect(planParts(100_000_000, 'chunked')).toMatchObject({ partSize: 10 * MiB, partCount: 10 });
    expect(planParts(1_000_000_001, 'multipart')).toMatchObject({ partSize: 8 * MiB, partCount: 120 });
  });

  it('cuts larger files into larger parts while nothing is known of the link, each at most one percent of the file', () => {
    expect(planParts(2 * GiB, 'multipart').partSize).toBe(16 * MiB);
    expect(planParts(30 * GiB, 'multipart').partSize).toBe(16 * MiB);
  });

  it('makes a part take about a second on a link of known speed', () => {
    const partSizeAt = (bytesPerSecond: number) => planParts(10 * GiB, 'multipart', undefined, bytesPerSecond).partSize / MiB;
    expect([400 * MiB, 20 * MiB, MiB, 128 * 1024].map(partSizeAt)).toEqual([32, 20, 8, 8]);
  });

  it('makes no part take more than a minute on a slow link, within the limits of S3 for part size and number', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('chunked', 'multipart'),
        fc.integer({ min: 0, max: 5 * TiB }),
        fc.double({ min: 1, max: 1e10, noNaN: true }),
        (strategy, bytes, bytesPerSecond) => {
          const plan = planParts(bytes, strategy, undefined, bytesPerSecond);
          expectToCoverOnce(plan, bytes);
          expect(plan.partSize).toBeGreaterThanOrEqual(S3_LIMITS.minPartSize);
          const unavoidable = Math.max(S3_LIMITS.minPartSize, bytes / S3_LIMITS.maxPartCount);
          expect(plan.partSize).toBeLessThanOrEqual(Math.max(bytesPerSecond * 60, unavoidable) + MiB);
        },
      ),
      { seed: 20261124, numRuns: 100 },
    );
  });

  it('has the requested part size, whatever the speed', () => {
    expect(planParts(10 * GiB, 'multipart', 50 * MiB, 1_000).partSize).toBe(50 * MiB);
  });

  it('aims at no more than 2,000 parts for large files, in whole MiB', () => {
    fc.assert(
      fc.property(fc.integer({ min: 16 * GiB, max: 5 * TiB }), (bytes) => {
        const plan = planParts(bytes, 'multipart');
        expect(plan.partCount).toBeLessThanOrEqual(2_000);
        expect(plan.partSize % MiB).toBe(0);
      }),
      { seed: 20261123 },
    );
  });

  it('accepts 5 TiB, the largest object, and not a byte more', () => {
    for (const strategy of ['chunked', 'multipart'] as const) {
      expectToCoverOnce(planParts(5 * TiB, strategy), 5 * TiB);
      expect(refusal(() => planParts(5 * TiB + 1, strategy)).detail).toContain('5 TiB');
    }
  });

  it('refuses `single` above 5 GiB, the largest part', () => {
    expect(planParts(5 * GiB, 'single').partCount).toBe(1);
    refusal(() => planParts(5 * GiB + 1, 'single'));
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 5 * MiB - 1, 5 * GiB + 1])(
    'refuses parts of %s bytes',
    (partSize) => {
      refusal(() => planParts(100 * MiB, 'multipart', partSize));
      refusal(() => planParts(100 * MiB, 'chunked', partSize));
    },
  );

  it('accepts parts of exactly 5 MiB and of exactly 5 GiB', () => {
    expect(planParts(100 * MiB, 'multipart', 5 * MiB).partCount).toBe(20);
    expect(planParts(10 * GiB, 'multipart', 5 * GiB).partCount).toBe(2);
  });

  it('accepts 10,000 parts and refuses 10,001', () => {
    expect(planParts(10_000 * 5 * MiB, 'multipart', 5 * MiB).partCount).toBe(10_000);
    refusal(() => planParts(10_000 * 5 * MiB + 1, 'multipart', 5 * MiB));
  });

  it('refuses a part size smaller than the file for `single`, because that would be two parts', () => {
    refusal(() => planParts(20 * MiB, 'single', 10 * MiB));
    expect(planParts(20 * MiB, 'single', 20 * MiB).partCount).toBe(1);
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses a size of %s', (bytes) => {
    for (const strategy of STRATEGIES) refusal(() => planParts(bytes, strategy));
  });

  it.each([0, 3, -1, 1.5, Number.NaN])('has no part %s of two', (partNumber) => {
    const plan = planParts(16 * MiB, 'multipart');
    expect(plan.partCount).toBe(2);
    expect(() => partRange(plan, 16 * MiB, partNumber)).toThrow(RangeError);
    expect(() => partLength(plan, 16 * MiB, partNumber)).toThrow(RangeError);
  });
});
