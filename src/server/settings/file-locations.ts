import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { userFolder } from '../../installation/user-folders.ts';
import type { Environment } from '../core/environment.ts';
import { Secret } from '../core/secret.ts';

/** The database of the sessions: a SQLite file (or `:memory:`), or a PostgreSQL database, whose URL holds its password. */
export type DatabaseLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: Secret };

const POSTGRES_URL = /^postgres(?:ql)?:\/\//;
const OTHER_URL = /^\w+:\/\//;

/** Describes the fault of a database setting without quoting it, because it may hold a password. */
export function faultOfDatabase(setting: string): string | undefined {
  if (POSTGRES_URL.test(setting)) {
    return URL.canParse(setting)
      ? undefined
      : 'is not a URL; it must be like postgres://user:password@host/database, with signs in the password escaped (%40 for @)';
  }
  return OTHER_URL.test(setting) ? 'must be the path of a SQLite file, or start with postgres://' : undefined;
}

export function databaseAt(setting: string | undefined, { folder }: DataFolder): DatabaseLocation {
  if (setting !== undefined && POSTGRES_URL.test(setting)) return { kind: 'postgres', url: new Secret(setting) };
  return { kind: 'sqlite', path: setting ?? join(folder, DATABASE_FILE) };
}

/** Describes a database for logs, without user, password and options. */
export function describeDatabase(database: DatabaseLocation): string {
  if (database.kind === 'sqlite') return database.path;
  const { host, pathname } = new URL(database.url.reveal());
  return `postgres://${host}${pathname}`;
}

/** Returns the path of the audit log. Undefined if none is kept: it is `off`, or has no path and the database is in memory. */
export function auditLogPath(
  setting: string | undefined,
  database: DatabaseLocation,
  { folder }: DataFolder,
): string | undefined {
  if (setting === 'off') return undefined;
  if (setting !== undefined) return setting;
  if (database.kind === 'postgres') return join(folder, AUDIT_FILE);
  return database.path === ':memory:' ? undefined : join(dirname(database.path), AUDIT_FILE);
}

/** Finds the database for commands that need none of the server's other settings. An empty variable counts as not set. */
export function locateDatabase(env: Environment): DatabaseLocation {
  return databaseAt(env.PARTWAY_DATABASE_URL || undefined, findDataFolder(env));
}

/** Finds the audit log for commands that need none of the server's other settings. */
export function findAuditLog(env: Environment): string | undefined {
  return auditLogPath(env.PARTWAY_AUDIT_LOG || undefined, locateDatabase(env), findDataFolder(env));
}

/** The folder of the files that no setting places. */
export interface DataFolder {
  readonly folder: string;
  /** The folder that would be used if `folder` were not one of an earlier version that is still in use. */
  readonly newFolder: string | undefined;
}

/** The part of the host that decides where the folder is. */
export interface Host {
  readonly platform: NodeJS.Platform;
  readonly homeDirectory: string | undefined;
  readonly exists: (path: string) => boolean;
}

const DATABASE_FILE = 'partway.db';
const AUDIT_FILE = 'audit.jsonl';

/** Returns the data folder of this platform, or the folder of earlier versions while that holds a database or an audit log. */
export function findDataFolder(env: Environment, host: Host = thisHost()): DataFolder {
  const earlier = earlierFolder(env);
  const folder = userFolder('data', { ...host, env, homeDirectory: env.HOME || host.homeDirectory }) ?? earlier;
  const isEarlierUsed = folder !== earlier && [DATABASE_FILE, AUDIT_FILE].some((name) => host.exists(join(earlier, name)));
  return isEarlierUsed ? { folder: earlier, newFolder: folder } : { folder, newFolder: undefined };
}

/** Earlier versions took a relative XDG path, used Linux's folder on every platform, and knew no home but HOME. */
function earlierFolder(env: Environment): string {
  return join(env.XDG_DATA_HOME || (env.HOME ? join(env.HOME, '.local', 'share') : '.'), 'partway');
}

function thisHost(): Host {
  return { platform: process.platform, homeDirectory: knownHome(), exists: existsSync };
}

/** The system throws for a user without an entry in its database. */
function knownHome(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
