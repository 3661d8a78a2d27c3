import type * as wire from '../../contract/wire.ts';
import type { ObjectHead } from '../../object-store/port.ts';
import type { UploadSession } from '../../session/session.ts';

/**
 * Compares the object that is at the store now with the record of the completion. Writing the object again changes its ETag, even
 * with the session's id in its metadata and contents made to have the same CRC32.
 */
export function compareWithRecord(
  { status, size, etag, checksum }: Pick<UploadSession, 'status' | 'size' | 'etag' | 'checksum'>,
  head: ObjectHead,
): NonNullable<wire.StoredObject['sinceCompletion']> | null {
  if (status !== 'completed') return null;
  return { rewritten: head.etag !== etag, sameSize: head.size === size, sameChecksum: head.checksum === checksum };
}
