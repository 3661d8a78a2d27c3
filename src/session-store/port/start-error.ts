/**
 * The session store cannot be used at all: no driver, an unusable file, a schema that is not ours. Not an UploadError,
 * because no request ever sees it: it stops `partway serve` from starting.
 */
export class SessionStoreStartError extends Error {
  override readonly name = 'SessionStoreStartError';
  /** What to do next, in words for a person. */
  readonly hint: string;

  constructor(whatHappened: string, hint: string, options?: { cause?: unknown }) {
    super(whatHappened, options);
    this.hint = hint;
  }
}
