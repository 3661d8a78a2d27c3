import { UploadError } from '../../session/errors.ts';
import type { ByteSource } from './byte-source.ts';

/** The error for a part that has different bytes than when it was read before. */
export function partChanged(source: ByteSource, partNumber: number): UploadError {
  return new UploadError(
    'SOURCE_CHANGED',
    `${source.name} changed while it was being uploaded: part ${partNumber} has other bytes than were read before.`,
    {
      hint: 'Nothing was completed and the stored parts are kept. Let the file settle; then resume with the file as it was, or upload it as it is now under another key.',
    },
  );
}

/** The error for a file that could not be compared. It does not say that the bytes differ: nothing stored is known to be wrong. */
export function keepsChanging(source: ByteSource): UploadError {
  return new UploadError(
    'SOURCE_CHANGED',
    `${source.name} keeps changing: whenever it was compared with what is stored, its times were others afterwards.`,
    {
      hint: 'Nothing was completed and the stored parts are kept. Wait until no program writes to the file, then resume.',
      facts: { bytesDiffer: false },
    },
  );
}
