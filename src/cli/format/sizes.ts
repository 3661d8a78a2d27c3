const BINARY_UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Formats with three significant digits: `5 bytes`, `88.1 MiB`, `1.00 GiB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${Math.floor(bytes)} bytes`;
  const exponent = binaryExponent(bytes);
  return `${inUnit(bytes, exponent)} ${BINARY_UNITS[exponent - 1]}`;
}

/** Formats both figures in the total's unit: `31.2 of 42.0 GiB`. */
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

/** Rounds down, so that 100 is shown only when everything is stored. */
export function percentOf(part: number, total: number): number {
  return total === 0 ? 0 : Math.floor((part / total) * 100);
}

function binaryExponent(bytes: number): number {
  let exponent = 1;
  // 1023.6 KiB would print as 1024 KiB, which already belongs to the next unit.
  while (exponent < BINARY_UNITS.length && bytes / 1024 ** exponent >= 1023.5) exponent++;
  return exponent;
}

function inUnit(bytes: number, exponent: number): string {
  const value = bytes / 1024 ** exponent;
  if (value === 0) return '0';
  if (value < 1) return value.toFixed(2);
  return value < 999.5 ? value.toPrecision(3) : value.toFixed(0);
}
