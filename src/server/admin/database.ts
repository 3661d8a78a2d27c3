import { existsSync } from 'node:fs';
import type { Instant } from '../../session/session.ts';
import { openSessionStore } from '../../session-store/open.ts';
import type { SessionStore } from '../../session-store/port/session-store.ts';
import { SessionStoreStartError } from '../../session-store/port/start-error.ts';
import { backUpSqlite } from '../../session-store/sqlite/backup.ts';
import type { Environment } from '../core/environment.ts';
import { type PlannedSweep, planSweep } from '../lifecycle/sweep-plan.ts';
import { parseSessionTtl, withDatabaseFiles } from '../settings/config.ts';
import {
  type DatabaseLocation,
  databaseAt,
  faultOfDatabase,
  findDataFolder,
  locateDatabase,
} from '../settings/file-locations.ts';

export interface HostDatabase {
  readonly sessions: SessionStore;
  /** Path of the SQLite file, if it was just made. */
  readonly newFile: string | undefined;
}

/**
 * Opens the server's database, for commands on the server's host, whether the server runs or not.
 * @throws SessionStoreStartError, ConfigError
 */
export async function openHostDatabase(env: Environment, { mayMake }: { readonly mayMake: boolean }): Promise<HostDatabase> {
  const database = findDatabase(env);
  // A PostgreSQL database is never made here, only its tables are.
  const newFile = database.kind === 'sqlite' && !existsSync(database.path) ? database.path : undefined;
  if (newFile !== undefined && !mayMake) throw noDatabase(newFile);
  return { sessions: await openSessionStore(database), newFile };
}

/** Copies the SQLite file and returns the size of the copy, in bytes. @throws SessionStoreStartError, also where the database is not SQLite. */
export function backUpHostDatabase(env: Environment, destination: string): number {
  const database = findDatabase(env);
  if (database.kind === 'sqlite') return backUpSqlite(database.path, destination);
  throw new SessionStoreStartError(
    'The database is PostgreSQL, and this command copies only SQLite files.',
    'Use pg_dump instead.',
  );
}

/** Copies the SQLite file to the PostgreSQL database of PARTWAY_TARGET_DATABASE_URL. @throws SessionStoreStartError */
export async function moveHostDatabase(env: Environment): Promise<Readonly<Record<string, number>>> {
  const source = findDatabase(env);
  const target = databaseAt(withDatabaseFiles(env).PARTWAY_TARGET_DATABASE_URL || undefined, findDataFolder(env));
  if (source.kind !== 'sqlite') {
    throw new SessionStoreStartError('PARTWAY_DATABASE_URL is not a SQLite file.', 'Only a SQLite file can be copied from.');
  }
  if (!existsSync(source.path)) throw noDatabase(source.path);
  if (target.kind !== 'postgres') {
    throw new SessionStoreStartError(
      'PARTWAY_TARGET_DATABASE_URL is not the URL of a PostgreSQL database.',
      'Set it to postgres://user:password@host/database.',
    );
  }
  const { moveToPostgres } = await import('../../session-store/move-to-postgres.ts');
  return moveToPostgres(source.path, target.url.reveal());
}

/** Lists what the sweeper of the server on this host would do now. @throws SessionStoreStartError, ConfigError */
export async function planHostSweep(env: Environment, now: Instant): Promise<PlannedSweep[]> {
  const sessionTtlMs = parseSessionTtl(env);
  const { sessions } = await openHostDatabase(env, { mayMake: false });
  try {
    return await planSweep(sessions, now, sessionTtlMs);
  } finally {
    await sessions.close();
  }
}

function findDatabase(environment: Environment): DatabaseLocation {
  const env = withDatabaseFiles(environment);
  const fault = env.PARTWAY_DATABASE_URL ? faultOfDatabase(env.PARTWAY_DATABASE_URL) : undefined;
  if (fault === undefined) return locateDatabase(env);
  throw new SessionStoreStartError(`PARTWAY_DATABASE_URL ${fault}.`, 'Set it to the same value as for the server.');
}

function noDatabase(path: string): SessionStoreStartError {
  return new SessionStoreStartError(
    `There is no database at ${path}.`,
    "Run this on the server's host, as its user, with its PARTWAY_DATABASE_URL.",
  );
}
