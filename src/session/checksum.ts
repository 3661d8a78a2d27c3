import { combineCrc32, decodeCrc32, EMPTY_CRC32, encodeCrc32 } from './crc32.ts';

export { CRC32_BASE64 as CHECKSUM_PATTERN } from './crc32.ts';

/** The checksum that proves parts and objects, and its names in S3's API. As text it is base64, as S3 writes it. */
export const CHECKSUM = { algorithm: 'CRC32', header: 'x-amz-checksum-crc32', s3Field: 'ChecksumCRC32' } as const;

/** The checksum of no bytes. */
export const EMPTY_CHECKSUM = encodeCrc32(EMPTY_CRC32);

/**
 * Computes the checksum of a whole from those of its parts, in order, without reading them again.
 * @throws RangeError for a checksum that is missing or malformed.
 */
export function checksumOfParts(
  parts: Iterable<{ readonly checksum: string | null | undefined; readonly size: number }>,
): string {
  let combined = EMPTY_CRC32;
  for (const { checksum, size } of parts) combined = combineCrc32(combined, decodeCrc32(checksum ?? ''), size);
  return encodeCrc32(combined);
}

/** Continues the sum `crc` with more bytes: `crc32` of node:zlib, which is passed in because this folder imports nothing. */
export type Crc32 = (bytes: Uint8Array, crc: number) => number;

/** The checksum of bytes that arrive in pieces. */
export class RunningChecksum {
  readonly #crc32: Crc32;
  #sum = EMPTY_CRC32;

  constructor(crc32: Crc32) {
    this.#crc32 = crc32;
  }

  add(piece: Uint8Array): void {
    this.#sum = this.#crc32(piece, this.#sum);
  }

  /** The checksum of all bytes up to now. */
  get value(): string {
    return encodeCrc32(this.#sum);
  }
}
