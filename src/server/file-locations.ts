import { dirname, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

export function defaultDatabasePath(env: Environment): string {
  const dataFolder = env.XDG_DATA_HOME || (env.HOME ? join(env.HOME, '.local', 'share') : '.');
  return join(dataFolder, 'partway', 'partway.db');
}

/** Undefined where none is kept: it is `off`, or the database is in memory and nothing says where the log should be. */
export function auditLogPath(setting: string | undefined, databasePath: string): string | undefined {
  if (setting === 'off') return undefined;
  if (setting !== undefined) return setting;
  return databasePath === ':memory:' ? undefined : join(dirname(databasePath), 'audit.jsonl');
}

/** For those who need none of the server's other settings. An empty variable counts as one that is not set. */
export function findDatabase(env: Environment): string {
  return env.PARTWAY_DATABASE_URL || defaultDatabasePath(env);
}

/** Likewise. */
export function findAuditLog(env: Environment): string | undefined {
  return auditLogPath(env.PARTWAY_AUDIT_LOG || undefined, findDatabase(env));
}
