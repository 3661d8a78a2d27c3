import { describe, expect, it } from 'vitest';
import { createRate } from '../../src/client/pace/rate.ts';

describe('the speed', () => {
  it('is zero before anything moved and while no time has passed', () => {
    const rate = createRate(1_000);
    expect(rate.sample(1_000)).toBe(0);
    rate.add(5_000);
    expect(rate.sample(1_000)).toBe(0);
  });

  it('is bytes per second', () => {
    const rate = createRate(0);
    rate.add(3_000);
    expect(rate.sample(2_000)).toBe(1_500);
  });

  it('is steady for a steady link, however long it runs', () => {
    const rate = createRate(0);
    for (let at = 250; at <= 120_000; at += 250) {
      rate.add(1_000);
      expect(rate.sample(at)).toBe(4_000);
    }
  });

  it('forgets what was more than its window ago', () => {
    const rate = createRate(0);
    rate.add(1_000_000_000);
    for (let at = 250; at <= 30_000; at += 250) {
      const bytesPerSecond = rate.sample(at);
      if (at > 10_250) expect(bytesPerSecond).toBe(0);
    }
    for (let at = 30_250; at <= 45_000; at += 250) {
      rate.add(500);
      const bytesPerSecond = rate.sample(at);
      if (at > 40_250) expect(bytesPerSecond).toBe(2_000);
    }
  });

  it('never shows more than was really sent after a pause in sampling', () => {
    const rate = createRate(0);
    rate.sample(250);
    rate.add(60_000);
    expect(rate.sample(60_250)).toBeLessThanOrEqual(1_000);
  });
});
