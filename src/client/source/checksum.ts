import { crc32 } from 'node:zlib';
import { RunningChecksum } from '../../session/checksum.ts';
import { UploadError } from '../../session/errors.ts';
import type { ByteSource } from './byte-source.ts';

/** Computes the base64 CRC32 of a range of the source. @throws UploadError `SOURCE_CHANGED` if the source ends before the range does. */
export async function checksumOfRange(
  source: ByteSource,
  start: number,
  end: number,
  options: { onBytes?: (count: number) => void; signal?: AbortSignal } = {},
): Promise<string> {
  const checksum = new RunningChecksum(crc32);
  let length = 0;
  for await (const piece of source.read(start, end)) {
    options.signal?.throwIfAborted();
    checksum.add(piece);
    length += piece.length;
    options.onBytes?.(piece.length);
  }
  if (length !== end - start) throw endedEarly(source, start + length);
  return checksum.value;
}

/** Computes the base64 CRC32 of the whole source. */
export function checksumOf(source: ByteSource, onBytes?: (count: number) => void): Promise<string> {
  return checksumOfRange(source, 0, source.size, onBytes ? { onBytes } : {});
}

export function endedEarly(source: ByteSource, at: number): UploadError {
  return new UploadError(
    'SOURCE_CHANGED',
    `${source.name} ended at byte ${at}; it had ${source.size} bytes when it was opened.`,
    {
      hint: 'The file shrank meanwhile. The stored parts are kept; restore the file and resume, or abort the session.',
    },
  );
}
