import { HOST_ERROR_CODES } from '../../session/host-errors.ts';
import type { Unavailability } from './unavailable.ts';

/** A state of the database that may end without a change of the settings; `in-use` means that another server has the file. */
export type PassingState = Unavailability | 'in-use';

/**
 * The session store cannot be opened: no driver, an unusable file, a foreign schema. Not an UploadError, because no request ever meets it.
 */
export class SessionStoreStartError extends Error {
  override readonly name = 'SessionStoreStartError';
  readonly code = HOST_ERROR_CODES.databaseUnusable;
  /** The next step, for a person. */
  readonly hint: string;
  /** Undefined if only other settings, or another version of partway, would help. */
  readonly state: PassingState | undefined;

  constructor(
    whatHappened: string,
    hint: string,
    { state, ...options }: { cause?: unknown; state?: PassingState | undefined } = {},
  ) {
    super(whatHappened, options);
    this.hint = hint;
    this.state = state;
  }
}
