import type { SessionStore } from './port/session-store.ts';
import { SessionStoreStartError } from './port/start-error.ts';
import { SessionStoreUnavailable } from './port/unavailable.ts';
import type { SqliteOptions } from './sqlite/session-store.ts';

/** Where the database is. The URL contains a password, so only the driver may read it. */
export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: { reveal(): string } };

/**
 * Opens the session store, loading only the driver that it needs.
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
 * Opens the session store for a server, which is useless if it may never write. A database without room opens all the same: the server
 * reports it, and recovers by itself once there is room.
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
      `The database can be read but not written: ${error.message}`,
      'Let this user write to the SQLite file and to its folder, or name the primary of PostgreSQL. If a file system is mounted ' +
        'read-only, check its disk first: an error may have caused that.',
      { cause: error, state: 'read-only' },
    );
  }
  return sessions;
}
