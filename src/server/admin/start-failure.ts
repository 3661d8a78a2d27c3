import { SessionStoreUnavailable } from '../../session-store/port/session-store.ts';
import { SessionStoreStartError } from '../../session-store/port/start-error.ts';
import { ConfigError } from '../core/config-error.ts';

/** The failures that a command on the server's host explains to the person who typed it, told apart by class. */
export type StartFailure =
  | { readonly kind: 'settings'; readonly error: ConfigError }
  | { readonly kind: 'database'; readonly error: SessionStoreStartError }
  | { readonly kind: 'database-away'; readonly error: SessionStoreUnavailable };

/** Undefined for every other error. */
export function startFailureOf(error: unknown): StartFailure | undefined {
  if (error instanceof ConfigError) return { kind: 'settings', error };
  if (error instanceof SessionStoreStartError) return { kind: 'database', error };
  if (error instanceof SessionStoreUnavailable) return { kind: 'database-away', error };
  return undefined;
}
