import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatShare, formatSize, formatSpeed, percentOf } from '../../../src/cli/format/sizes.ts';
import { parseRate, parseSize } from '../../../src/cli/input/parse-size.ts';

describe('parseSize', () => {
  it.each([
    ['0', 0],
    ['5242880', 5_242_880],
    ['100MB', 100_000_000],
    ['100 mb', 100_000_000],
    ['16MiB', 16_777_216],
    ['1.5GiB', 1_610_612_736],
    ['0.1MB', 100_000],
    ['5TiB', 5_497_558_138_880],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'big', '-1', '16 M', '16M', '1e6', '99999999TiB', 'MiB'])('refuses "%s" with an explanation', (text) => {
    expect(() => parseSize(text)).toThrow(/is not a size|has an unknown unit|larger than any file/);
  });

  it('names the units when one is ambiguous', () => {
    expect(() => parseSize('16M')).toThrow('"16M" has an unknown unit. Units are B, kB, MB, GB, TB and KiB, MiB, GiB, TiB.');
  });
});

describe('formatSize', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [1023, '1023 bytes'],
    [1024, '1.00 KiB'],
    [1_073_741_824, '1.00 GiB'],
    [92_379_546, '88.1 MiB'],
    [1024 * 1024 - 1, '1.00 MiB'],
    [45_097_156_608, '42.0 GiB'],
  ])('writes %i as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it('never writes an exponent or more than four digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
        expect(formatSize(bytes)).toMatch(/^[\d.]{1,5} (bytes?|[KMGTP]iB)$/);
      }),
    );
  });
});

it('writes both figures of a share in the unit of the total', () => {
  expect(formatShare(33_500_745_728, 45_097_156_608)).toBe('31.2 of 42.0 GiB');
  expect(formatShare(0, 45_097_156_608, '/')).toBe('0/42.0 GiB');
  expect(formatShare(3, 5)).toBe('3 of 5 bytes');
});

it('writes speeds as sizes per second', () => {
  expect(formatSpeed(92_379_546)).toBe('88.1 MiB/s');
});

it('says 100 % only when everything is there', () => {
  expect(percentOf(999, 1000)).toBe(99);
  expect(percentOf(1000, 1000)).toBe(100);
  expect(percentOf(0, 0)).toBe(0);
});

describe('parseRate', () => {
  it.each([
    ['8Mbit', 1_000_000],
    ['8 Mbit/s', 1_000_000],
    ['512kbit', 64_000],
    ['1Gbit', 125_000_000],
    ['2MiB', 2_097_152],
    ['2MB/s', 2_000_000],
  ])('reads %s as %i bytes a second', (text, bytesPerSecond) => {
    expect(parseRate(text)).toBe(bytesPerSecond);
  });

  it.each(['8M', '1000000', '8', 'fast', '', '100B', '1kbit'])(
    'refuses %j, which says neither bits nor bytes, or would never end',
    (text) => {
      expect(() => parseRate(text)).toThrow(/Mbit|unit|KiB|not a size/);
    },
  );
});
