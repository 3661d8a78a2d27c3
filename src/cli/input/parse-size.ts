import { UsageError } from './usage-error.ts';

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

/**
 * Parses `16MiB`, `100MB`, `1.5 GiB` or plain bytes. MB is 10⁶ and MiB is 2²⁰; a bare `M` could mean either and is refused.
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
 * Parses `8Mbit` (10⁶ bits a second, as links are sold) or `2MiB` (bytes a second) into bytes per second; `/s` may follow. The unit
 * must say bit or byte: `8M` could mean either.
 * @throws UsageError
 */
export function parseRate(text: string): number {
  const value = text.trim().replace(/\/s$|ps$/i, '');
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmg]?bit)$/i.exec(value) ?? [];
  const bytes = number === undefined ? parseByteRate(value, text) : (Number(number) * (BITS[unit.toLowerCase()] ?? 0)) / 8;
  if (bytes >= 1024) return Math.round(bytes);
  throw new UsageError(`"${text}" is slower than 1 KiB/s: no upload would ever finish. Give 1KiB or more.`);
}

function parseByteRate(value: string, text: string): number {
  if (/[a-z]$/i.test(value)) return parseSize(value);
  throw new UsageError(`"${text}" does not say whether it counts bits or bytes. Write it as 8Mbit or 2MiB (each second).`);
}
