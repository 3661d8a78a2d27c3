import { UploadError } from '../../session/errors.ts';
import type { ByteSource } from './byte-source.ts';

/** A part that was read before has other bytes now. */
export function partChanged(source: ByteSource, partNumber: number): UploadError {
  return new UploadError(
    'SOURCE_CHANGED',
    `${source.name} changed while it was being uploaded: part ${partNumber} has other bytes than were read before.`,
    {
      hint: 'Nothing was completed and the stored parts are kept. Let the file settle; then resume with the file as it was, or upload it as it is now under another key.',
    },
  );
}

/** Says that the file could not be compared, not that it has other bytes: nothing that is stored is known to be wrong. */
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
