import { HOST_ERROR_CODES } from '../../session/host-errors.ts';
import type { FileLoss } from './file-loss.ts';

/**
 * Why the database cannot serve: it cannot be reached or is too busy, has no room, is read-only, its disk fails, or its file is no longer
 * the one that the server opened.
 */
export type Unavailability = 'away' | 'full' | 'read-only' | 'disk-error' | FileLoss;

/**
 * The database cannot serve now, or failed during a call: whether a write happened is unknown. It may serve again at the next call. The
 * message never contains the database's URL or a password.
 */
export class SessionStoreUnavailable extends Error {
  override readonly name = 'SessionStoreUnavailable';
  readonly code = HOST_ERROR_CODES.databaseUnavailable;
  readonly reason: Unavailability;

  constructor(message: string, reason: Unavailability = 'away', options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}
