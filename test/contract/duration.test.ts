import { describe, expect, it } from 'vitest';
import { parseDuration } from '../../src/text/duration.ts';

describe('a duration', () => {
  it.each([
    ['250ms', 250],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['1m1ms', 60_001],
    ['0s', 0],
  ])('is written %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '5', 'h', '5 m', '-5m', '5M', '5w', '1h 30m', '5m!', '1e3s', '.5h', 'Infinityh'])('is not %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
