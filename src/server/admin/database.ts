import { existsSync } from 'node:fs';
import { openSessionStore } from '../../session-store/open.ts';
import type { SessionStore } from '../../session-store/port/session-store.ts';
import { SessionStoreStartError } from '../../session-store/port/start-error.ts';
import { backUpSqlite } from '../../session-store/sqlite/backup.ts';
import { withDatabaseFiles } from '../settings/config.ts';
import { type DatabaseLocation, databaseAt, faultOfDatabase, locateDatabase } from '../settings/file-locations.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export interface MachineDatabase {
  readonly sessions: SessionStore;
  /** The path of the SQLite file that was just made. */
  readonly newFile: string | undefined;
}

/**
 * The server's database, for the commands of the server's machine, whether the server runs or not.
 * @throws SessionStoreStartError, ConfigError
 */
export async function openMachineDatabase(
  env: Environment,
  { mayMake }: { readonly mayMake: boolean },
): Promise<MachineDatabase> {
  const database = findDatabase(env);
  // A PostgreSQL database is never made here, only its tables are.
  const newFile = database.kind === 'sqlite' && !existsSync(database.path) ? database.path : undefined;
  if (newFile !== undefined && !mayMake) throw noDatabase(newFile);
  return { sessions: await openSessionStore(database), newFile };
}

/** Returns the size of the copy, in bytes. @throws SessionStoreStartError also where the database is none of SQLite's. */
export function backUpMachineDatabase(env: Environment, destination: string): number {
  const database = findDatabase(env);
  if (database.kind === 'sqlite') return backUpSqlite(database.path, destination);
  throw new SessionStoreStartError('The database is PostgreSQL: this command copies SQLite files.', 'Use pg_dump for it.');
}

/** Copies the SQLite file to the PostgreSQL database of PARTWAY_TARGET_DATABASE_URL. @throws SessionStoreStartError */
export async function moveMachineDatabase(env: Environment): Promise<Readonly<Record<string, number>>> {
  const source = findDatabase(env);
  const target = databaseAt(withDatabaseFiles(env).PARTWAY_TARGET_DATABASE_URL || undefined, env);
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

function findDatabase(environment: Environment): DatabaseLocation {
  const env = withDatabaseFiles(environment);
  const fault = env.PARTWAY_DATABASE_URL ? faultOfDatabase(env.PARTWAY_DATABASE_URL) : undefined;
  if (fault === undefined) return locateDatabase(env);
  throw new SessionStoreStartError(`PARTWAY_DATABASE_URL ${fault}.`, 'Set it as the server has it.');
}

function noDatabase(path: string): SessionStoreStartError {
  return new SessionStoreStartError(
    `There is no database at ${path}.`,
    "Run this on the server's machine, as its user, with its PARTWAY_DATABASE_URL.",
  );
}
