import type { Session } from '../../contract/wire.ts';
import { isUploadError, UploadError } from '../../session/errors.ts';
import { UploadLost } from '../part/part-failures.ts';

/** How a round of an upload can end other than with the object. */

/** The session has another plan now: this run ends, and another one goes on with it. */
export class Replanned extends Error {
  override readonly name = 'Replanned';
  readonly session: Session;
  constructor(session: Session, reason: string) {
    super(reason);
    this.session = session;
  }
}

/** Whether the store's next list says how to go on. */
export function leadsToAnotherRound(error: unknown): boolean {
  return error instanceof UploadLost || isUploadError(error, 'PARTS_MISSING', 'PARTS_LOST') || isCompletedElsewhere(error);
}

/** The error to end with, where no further round is worth it. */
export function lastWordOn(error: unknown): unknown {
  return error instanceof UploadLost ? storeLosesUploads(error) : error;
}

/** Somebody else completes the session, or has completed it: the next list says how that ended. */
function isCompletedElsewhere(error: unknown): boolean {
  return isUploadError(error, 'SESSION_NOT_OPEN') && ['completing', 'completed'].includes(String(error.facts.sessionStatus));
}

function storeLosesUploads(cause: UploadLost): UploadError {
  return new UploadError('PARTS_LOST', `The object store lost the upload again and again: ${cause.message}`, {
    cause,
    hint: 'Check the store: its disk, and MINIO_API_STALE_UPLOADS_EXPIRY (720h suits long uploads).',
  });
}
