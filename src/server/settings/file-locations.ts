import { dirname, join } from 'node:path';
import { Secret } from '../core/secret.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where sessions are kept: a SQLite file (or `:memory:`), or a PostgreSQL database, whose URL holds its password. */
export type DatabaseLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: Secret };

const POSTGRES_URL = /^postgres(?:ql)?:\/\//;
const OTHER_URL = /^\w+:\/\//;

/** What is wrong with a setting, in words that do not quote it: it may hold a password. */
export function faultOfDatabase(setting: string): string | undefined {
  if (POSTGRES_URL.test(setting)) {
    return URL.canParse(setting)
      ? undefined
      : 'is not a URL; it must be like postgres://user:password@host/database, with signs in the password escaped (%40 for @)';
  }
  return OTHER_URL.test(setting) ? 'must be the path of a SQLite file, or start with postgres://' : undefined;
}

export function databaseAt(setting: string | undefined, env: Environment): DatabaseLocation {
  if (setting !== undefined && POSTGRES_URL.test(setting)) return { kind: 'postgres', url: new Secret(setting) };
  return { kind: 'sqlite', path: setting ?? join(dataFolder(env), 'partway.db') };
}

/** For logs: without user, password and options. */
export function describeDatabase(database: DatabaseLocation): string {
  if (database.kind === 'sqlite') return database.path;
  const { host, pathname } = new URL(database.url.reveal());
  return `postgres://${host}${pathname}`;
}

/** Undefined where none is kept: it is `off`, or the database is in memory and nothing says where the log should be. */
export function auditLogPath(setting: string | undefined, database: DatabaseLocation, env: Environment): string | undefined {
  if (setting === 'off') return undefined;
  if (setting !== undefined) return setting;
  if (database.kind === 'postgres') return join(dataFolder(env), 'audit.jsonl');
  return database.path === ':memory:' ? undefined : join(dirname(database.path), 'audit.jsonl');
}

/** For those who need none of the server's other settings. An empty variable counts as one that is not set. */
export function locateDatabase(env: Environment): DatabaseLocation {
  return databaseAt(env.PARTWAY_DATABASE_URL || undefined, env);
}

/** Likewise. */
export function findAuditLog(env: Environment): string | undefined {
  return auditLogPath(env.PARTWAY_AUDIT_LOG || undefined, locateDatabase(env), env);
}

/** Where data goes that no setting places. */
export function dataFolder(env: Environment): string {
  const folder = env.XDG_DATA_HOME || (env.HOME ? join(env.HOME, '.local', 'share') : '.');
  return join(folder, 'partway');
}
