import type { Session } from '../../contract/wire.ts';
import { isUploadError, UploadError } from '../../session/errors.ts';
import { UploadLost } from '../part/part-failures.ts';

/** The ways in which a round of an upload can end without the object. */

/** Ends a run whose session has another plan now: another run goes on with that. */
export class Replanned extends Error {
  override readonly name = 'Replanned';
  readonly session: Session;
  constructor(session: Session, reason: string) {
    super(reason);
    this.session = session;
  }
}

/** Whether the store's next list shows how to go on. */
export function leadsToAnotherRound(error: unknown): boolean {
  return error instanceof UploadLost || isUploadError(error, 'PARTS_MISSING', 'PARTS_LOST') || isCompletedElsewhere(error);
}

/** The error to end with where another round is not worth it. */
export function lastWordOn(error: unknown): unknown {
  return error instanceof UploadLost ? storeLosesUploads(error) : error;
}

/** Another client completes the session, or has completed it: the next list shows how that ended. */
function isCompletedElsewhere(error: unknown): boolean {
  return isUploadError(error, 'SESSION_NOT_OPEN') && ['completing', 'completed'].includes(String(error.facts.sessionStatus));
}

function storeLosesUploads(cause: UploadLost): UploadError {
  return new UploadError('PARTS_LOST', `The object store lost the upload again and again: ${cause.message}`, {
    cause,
    hint: 'Check the store: its disk, and MINIO_API_STALE_UPLOADS_EXPIRY (720h suits long uploads).',
  });
}
