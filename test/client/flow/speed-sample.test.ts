import { describe, expect, it } from 'vitest';
import { createSpeedSample } from '../../../src/client/flow/speed-sample.ts';

describe('speeds under the same conditions', () => {
  it('have an average, and an error of it that falls with their number', () => {
    const sample = createSpeedSample();
    for (const speed of [8, 12, 8, 12]) sample.add(speed);
    expect(sample.mean).toBe(10);
    const errorOfFour = sample.standardError;
    expect(errorOfFour).toBeCloseTo(1.155, 3);
    for (const speed of [8, 12, 8, 12]) sample.add(speed);
    expect(sample.standardError).toBeLessThan(errorOfFour);
  });

  it('show no noise while there are fewer than two', () => {
    const sample = createSpeedSample();
    expect([sample.count, sample.mean, sample.standardError]).toEqual([0, 0, 0]);
    sample.add(5);
    expect([sample.count, sample.mean, sample.standardError]).toEqual([1, 5, 0]);
  });

  it('forget the old ones, so that a link that became better is noticed', () => {
    const sample = createSpeedSample();
    for (let window = 0; window < 100; window++) sample.add(1);
    for (let window = 0; window < 12; window++) sample.add(9);
    expect(sample.mean).toBe(9);
  });
});
