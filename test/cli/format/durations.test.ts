import { expect, it } from 'vitest';
import { formatClock, formatDuration, formatInstant, formatSoon } from '../../../src/cli/format/durations.ts';

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

it.each([
  ['14:31 today', new Date(2026, 8, 25, 14, 31), '14:31'],
  ['another day of the week', new Date(2026, 8, 26, 2, 10), 'Sat 02:10'],
  ['a week away, when a weekday could mean two days', new Date(2026, 9, 2, 14, 31), '2 Oct 14:31'],
])('names the day only if it is not today: %s', (_, instant, text) => {
  expect(formatSoon(instant, new Date(2026, 8, 25, 14, 0))).toBe(text);
});
