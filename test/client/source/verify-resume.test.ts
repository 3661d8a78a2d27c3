import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partsToRead } from '../../../src/client/source/verify-resume.ts';

function parts(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

it('reads everything with full, and nothing with none', () => {
  expect(partsToRead([3, 1, 2], 'full')).toEqual([3, 1, 2]);
  expect(partsToRead([3, 1, 2], 'none')).toEqual([]);
});

describe('a sample', () => {
  it.each([
    [0, 0],
    [1, 1],
    [8, 8],
    [9, 8],
    [128, 8],
    [129, 9],
    [10_000, 625],
  ])('of %d parts has %d: one in 16, and at least 8', (count, expected) => {
    expect(partsToRead(parts(count), 'sample')).toHaveLength(expected);
  });

  it('of ten parts leaves out two in between', () => {
    expect(partsToRead(parts(10), 'sample')).toEqual([1, 2, 4, 5, 6, 7, 9, 10]);
  });

  it('has the first and the last, no part twice, no gap much wider than the others, and is the same in whatever order they come', () => {
    const stored = fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), { minLength: 2, maxLength: 400 });
    fc.assert(
      fc.property(stored, (numbers) => {
        const sorted = [...numbers].sort((a, b) => a - b);
        const sample = partsToRead(numbers, 'sample');
        expect(sample).toEqual(partsToRead(sorted, 'sample'));
        expect(new Set(sample).size).toBe(sample.length);
        expect([sample[0], sample.at(-1)]).toEqual([sorted[0], sorted.at(-1)]);
        const places = sample.map((partNumber) => sorted.indexOf(partNumber));
        const gaps = places.slice(1).map((place, index) => place - (places[index] ?? 0));
        expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
        expect(Math.max(...gaps)).toBeLessThanOrEqual(64);
      }),
      { seed: 20261124 },
    );
  });
});
