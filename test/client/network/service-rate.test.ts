import { describe, expect, it } from 'vitest';
import { createServiceRate } from '../../../src/client/network/service-rate.ts';

const MiB = 1024 ** 2;

describe('the rate at which bytes are acknowledged', () => {
  it('is not known before the first answer, and then guessed low, for no more than a deep buffer', () => {
    const rate = createServiceRate();
    expect(rate.isKnown).toBe(false);
    expect(rate.timeFor(5 * MiB)).toBeCloseTo(160_000, -3);
    expect(rate.timeFor(1_000 * MiB)).toBe(rate.timeFor(16 * MiB));
  });

  it('is that of all connections together: parts side by side share the time', () => {
    const rate = createServiceRate();
    // Four parts that began together, each answered a second after the one before.
    for (let part = 1; part <= 4; part++) rate.answered(5 * MiB, 0, part * 1_000);
    expect(rate.timeFor(10 * MiB)).toBeCloseTo(2_000, -1);
  });

  it('evens out answers that come in pairs', () => {
    const rate = createServiceRate();
    for (let pair = 1; pair <= 10; pair++) {
      rate.answered(5 * MiB, 0, pair * 2_000);
      rate.answered(5 * MiB, 0, pair * 2_000);
    }
    expect(rate.timeFor(5 * MiB)).toBeGreaterThan(800);
    expect(rate.timeFor(5 * MiB)).toBeLessThan(1_200);
  });

  it('leaves out the time in which nothing was sent', () => {
    const rate = createServiceRate();
    rate.answered(5 * MiB, 0, 1_000);
    rate.answered(5 * MiB, 600_000, 601_000);
    expect(rate.timeFor(5 * MiB)).toBeCloseTo(1_000, -1);
  });

  it('follows a link that becomes slow within a few parts', () => {
    const rate = createServiceRate();
    for (let part = 1; part <= 20; part++) rate.answered(5 * MiB, 0, part * 100);
    for (let part = 1; part <= 3; part++) rate.answered(5 * MiB, 2_000, 2_000 + part * 60_000);
    expect(rate.timeFor(5 * MiB)).toBeGreaterThan(25_000);
  });

  it('does not mind answers in no time at all', () => {
    const rate = createServiceRate();
    rate.answered(5 * MiB, 10, 10);
    expect(rate.isKnown).toBe(true);
    expect(rate.timeFor(5 * MiB)).toBe(0);
  });
});
