import { type SessionStore, SessionStoreUnavailable } from './port/session-store.ts';
import { SessionStoreStartError } from './port/start-error.ts';
import type { SqliteOptions } from './sqlite/session-store.ts';

/** The URL holds a password, and is shown to nobody but the driver. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: { reveal(): string } };

/**
 * Opens the store, loading its driver and no other.
 * @throws SessionStoreStartError
 */
export async function openSessionStore(location: StoreLocation, options?: SqliteOptions): Promise<SessionStore> {
  if (location.kind === 'postgres') {
    const { openPostgresStore } = await import('./postgres/session-store.ts');
    return openPostgresStore(location.url.reveal());
  }
  const { openSqliteStore } = await import('./sqlite/session-store.ts');
  return openSqliteStore(location.path, options);
}

/**
 * For a server, which is of no use where it may never write. A database that has no room now opens all the same: the server goes on by
 * itself once there is some, and says so until then.
 * @throws SessionStoreStartError
 */
export async function openStoreToWrite(
  location: StoreLocation,
  options: Pick<SqliteOptions, 'onLoss'> = {},
): Promise<SessionStore> {
  const sessions = await openSessionStore(location, { ...options, isServer: true });
  try {
    await sessions.ping();
  } catch (error) {
    if (!(error instanceof SessionStoreUnavailable) || error.reason !== 'read-only') return sessions;
    await sessions.close();
    throw new SessionStoreStartError(
      `The database can be read and not written: ${error.message}`,
      'Let this user write to the SQLite file and to its folder, or name the primary of PostgreSQL. A file system that is mounted ' +
        'read-only may be so after an error of its disk: check that first.',
      { cause: error, state: 'read-only' },
    );
  }
  return sessions;
}
