import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { RunningChecksum } from '../../session/checksum.ts';
import { MiB } from '../../session/part-plan.ts';

/** Bytes that no proxy can compress, made as they are sent: memory does not grow with the size. */
export interface TrialPart {
  readonly size: number;
  /** Base64 CRC32. */
  readonly checksum: string;
  pieces(): Iterable<Uint8Array>;
}

export function createTrialPart(size: number): TrialPart {
  const block = randomBytes(Math.min(size, MiB));
  function* pieces(): Generator<Uint8Array> {
    for (let left = size; left > 0; left -= block.length) yield block.subarray(0, left);
  }
  const checksum = new RunningChecksum(crc32);
  for (const piece of pieces()) checksum.add(piece);
  return { size, checksum: checksum.value, pieces };
}
