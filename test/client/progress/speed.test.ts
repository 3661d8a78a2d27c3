import { describe, expect, it } from 'vitest';
import { createRate } from '../../../src/client/progress/speed.ts';

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

  it('knows nothing of the time before a restart, nor of a gap so long that the host must have slept', () => {
    const rate = createRate(0);
    rate.add(100_000);
    expect(rate.sample(1_000)).toBe(100_000);
    rate.restart(5_000);
    expect(rate.sample(5_250)).toBe(0);
    rate.add(250);
    expect(rate.sample(5_500)).toBe(500);
    expect(rate.sample(3_600_000)).toBe(0);
    rate.add(100);
    expect(rate.sample(3_601_000)).toBe(100);
  });
});

describe('the speed to reckon with', () => {
  it('is the speed itself as long as nothing broke', () => {
    const rate = createRate(0);
    expect(rate.expected).toBe(0);
    rate.add(3_000);
    rate.sample(2_000);
    expect(rate.expected).toBe(1_500);
  });

  it('goes over from the speed of before to that of now within the window after a restart', () => {
    const rate = createRate(0);
    rate.add(10_000);
    rate.sample(10_000);
    rate.restart(20_000);
    rate.sample(20_250);
    expect(rate.expected).toBe(0);
    const expected: number[] = [];
    for (let at = 20_500; at <= 31_000; at += 500) {
      rate.add(1_000);
      rate.sample(at);
      expected.push(rate.expected);
    }
    // From 1,000 bytes a second to 2,000.
    expect(expected[0]).toBeCloseTo(1_050);
    expect(expected.every((speed, index) => index === 0 || speed >= (expected[index - 1] ?? 0))).toBe(true);
    expect(expected.at(-1)).toBe(2_000);
  });

  it('remembers the speed of before also across an outage in which nothing moved', () => {
    const rate = createRate(0);
    rate.add(10_000);
    rate.sample(10_000);
    rate.restart(11_000);
    rate.sample(20_000);
    rate.restart(20_500);
    rate.add(500);
    rate.sample(21_000);
    expect(rate.expected).toBeCloseTo(1_000);
  });
});
