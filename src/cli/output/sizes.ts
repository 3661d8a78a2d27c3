import { UsageError } from '../arguments/usage-error.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};
const BINARY_UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/**
 * `16MiB`, `100MB`, `1.5 GiB` or plain bytes. MB is 10⁶ and MiB is 2²⁰; a bare `M` could mean either and is refused.
 * @throws UsageError
 */
export function parseSize(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (number === '') throw new UsageError(`"${text}" is not a size. Write it as 16MiB, 100MB or a number of bytes.`);
  if (factor === undefined)
    throw new UsageError(`"${text}" has an unknown unit. Units are B, kB, MB, GB, TB and KiB, MiB, GiB, TiB.`);
  const bytes = Math.round(Number(number) * factor);
  if (!Number.isSafeInteger(bytes)) throw new UsageError(`"${text}" is larger than any file.`);
  return bytes;
}

const BITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1000, mbit: 1000 ** 2, gbit: 1000 ** 3 };

/**
 * A rate in bytes per second, of `8Mbit` (10⁶ bits a second, as links are sold) or `2MiB` (bytes a second); `/s` may follow. The
 * unit must say bit or byte: `8M` could mean either.
 * @throws UsageError
 */
export function parseRate(text: string): number {
  const value = text.trim().replace(/\/s$|ps$/i, '');
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmg]?bit)$/i.exec(value) ?? [];
  const bytes = number === undefined ? parseByteRate(value, text) : (Number(number) * (BITS[unit.toLowerCase()] ?? 0)) / 8;
  if (bytes >= 1024) return Math.round(bytes);
  throw new UsageError(`"${text}" is slower than 1 KiB/s: no upload would end.`);
}

function parseByteRate(value: string, text: string): number {
  if (/[a-z]$/i.test(value)) return parseSize(value);
  throw new UsageError(`"${text}" does not say whether it counts bits or bytes. Write it as 8Mbit or 2MiB (each second).`);
}

/** Three significant digits: `5 bytes`, `88.1 MiB`, `1.00 GiB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${Math.floor(bytes)} bytes`;
  const exponent = binaryExponent(bytes);
  return `${inUnit(bytes, exponent)} ${BINARY_UNITS[exponent - 1]}`;
}

/** Both figures in the total's unit: `31.2 of 42.0 GiB`. */
export function formatShare(part: number, total: number, between = ' of '): string {
  if (total < 1024) return `${part}${between}${formatSize(total)}`;
  const exponent = binaryExponent(total);
  return `${inUnit(part, exponent)}${between}${inUnit(total, exponent)} ${BINARY_UNITS[exponent - 1]}`;
}

export function formatSpeed(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`;
}

export function formatLimit(bytesPerSecond: number | null): string {
  return bytesPerSecond === null ? 'none' : formatSpeed(bytesPerSecond);
}

/** Rounded down: 100 is said only when everything is stored. */
export function percentOf(part: number, total: number): number {
  return total === 0 ? 0 : Math.floor((part / total) * 100);
}

function binaryExponent(bytes: number): number {
  let exponent = 1;
  // 1023.6 KiB would print as 1024 KiB: that is the next unit already.
  while (exponent < BINARY_UNITS.length && bytes / 1024 ** exponent >= 1023.5) exponent++;
  return exponent;
}

function inUnit(bytes: number, exponent: number): string {
  const value = bytes / 1024 ** exponent;
  if (value === 0) return '0';
  if (value < 1) return value.toFixed(2);
  return value < 999.5 ? value.toPrecision(3) : value.toFixed(0);
}
