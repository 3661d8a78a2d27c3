import { HOST_ERROR_CODES } from '../../session/host-errors.ts';

/**
 * The session store cannot be used at all: no driver, an unusable file, a foreign schema. Not an UploadError, because no request ever
 * meets it: it keeps `partway serve` from starting.
 */
export class SessionStoreStartError extends Error {
  override readonly name = 'SessionStoreStartError';
  readonly code = HOST_ERROR_CODES.databaseUnusable;
  /** What to do next, for a person. */
  readonly hint: string;

  constructor(whatHappened: string, hint: string, options?: { cause?: unknown }) {
    super(whatHappened, options);
    this.hint = hint;
  }
}
