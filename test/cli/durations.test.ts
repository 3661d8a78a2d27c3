import { expect, it } from 'vitest';
import { formatClock, formatDuration, formatInstant } from '../../src/cli/output/durations.ts';

it.each([
  [0, '0 s'],
  [0.42, '0.4 s'],
  [9.97, '10 s'],
  [12, '12 s'],
  [59.6, '1 min'],
  [312, '5 min 12 s'],
  [3600, '1 h'],
  [7500, '2 h 5 min'],
  [273_600, '3 d 4 h'],
])('writes %d seconds as %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});

it('writes instants in the time zone of the reader', () => {
  expect(formatInstant(new Date(2026, 8, 25, 18, 0))).toBe('Fri 25 Sep 2026 18:00');
  expect(formatClock(new Date(2026, 8, 25, 8, 2, 9))).toBe('08:02:09');
});
