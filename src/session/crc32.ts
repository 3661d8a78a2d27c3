/**
 * Arithmetic of CRC32 values (ISO-HDLC, polynomial 0xEDB88320 reflected, as in zlib and S3): as numbers, as S3's base64, and combined.
 * checksum.ts is what other rooms use.
 */

/** The CRC32 of no bytes. */
export const EMPTY_CRC32 = 0;

const POLYNOMIAL = 0xedb88320;

/** Encodes a CRC32 as S3 does: base64 of its four bytes, big-endian. 0 is `AAAAAA==`. */
export function encodeCrc32(crc: number): string {
  return btoa(String.fromCharCode((crc >>> 24) & 0xff, (crc >>> 16) & 0xff, (crc >>> 8) & 0xff, crc & 0xff));
}

/** Matches exactly the base64 of four bytes. */
export const CRC32_BASE64 = /^[A-Za-z0-9+/]{5}[AQgw]==$/;

/** @throws RangeError if `text` is not the base64 of four bytes. */
export function decodeCrc32(text: string): number {
  if (!CRC32_BASE64.test(text)) throw new RangeError('not a base64 CRC32');
  return [...atob(text)].reduce((crc, char) => ((crc << 8) | char.charCodeAt(0)) >>> 0, 0);
}

/**
 * Returns the CRC32 of A followed by B, from the CRCs of A and B and B's length in bytes. Appending `n` zero bytes to A multiplies its CRC
 * by x^(8n) modulo the polynomial; the rest is an exclusive or. The result is that of zlib's crc32_combine (a test compares it with the
 * CRC of real bytes).
 */
export function combineCrc32(crcA: number, crcB: number, lengthB: number): number {
  return (multiply(xToThe8N(lengthB), crcA) ^ crcB) >>> 0;
}

/** Returns a × b modulo the polynomial, over GF(2), bit-reflected: the highest bit is x^0. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= b;
    b = b & 1 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1;
  }
  return product >>> 0;
}

/** Returns x^(8n) modulo the polynomial, by repeated squaring; `n` up to 2^53. */
function xToThe8N(n: number): number {
  let result = 0x80000000; // x^0
  let power = 0x00800000; // x^8
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = multiply(power, result);
    power = multiply(power, power);
  }
  return result;
}
