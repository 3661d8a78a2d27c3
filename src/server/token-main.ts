import { existsSync } from 'node:fs';
import type { Instant } from '../session/session.ts';
import { openSessionStore } from '../session-store/open.ts';
import { backUpSqlite } from '../session-store/sqlite-backup.ts';
import { SessionStoreStartError } from '../session-store/start-error.ts';
import { createAuditLog } from './audit/audit-log.ts';
import { noAudit } from './audit/event.ts';
import { parseSessionTtl } from './config.ts';
import { type DatabaseLocation, faultOfDatabase, findAuditLog, locateDatabase } from './file-locations.ts';
import { type PlannedSweep, planSweep } from './sweep-plan.ts';
import { createTokenAdmin } from './tokens.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Composition root of the commands on the server's machine: its database and audit log, whether the server runs or not. `mayMake`: the
 * first token may be made before the server has ever started.
 * @throws SessionStoreStartError
 */
export async function openTokenAdmin(env: Environment, now: () => Instant, { mayMake }: { readonly mayMake: boolean }) {
  const database = findDatabase(env);
  // A PostgreSQL database is never made here, only its tables are.
  const newFile = database.kind === 'sqlite' && !existsSync(database.path) ? database.path : undefined;
  if (newFile !== undefined && !mayMake) throw noDatabase(newFile);
  const sessions = await openSessionStore(database);
  const auditPath = findAuditLog(env);
  const audit = auditPath === undefined ? undefined : createAuditLog({ path: auditPath, now, log: { error: tellOnStderr } });
  return {
    /** The path of the database that was just made. */
    newFile,
    admin: createTokenAdmin(sessions, audit ?? noAudit, now),
    async close(): Promise<void> {
      audit?.close();
      await sessions.close();
    },
  };
}

/** @throws SessionStoreStartError also where the database is none of SQLite's. */
export function backUp(env: Environment, destination: string): number {
  const database = findDatabase(env);
  if (database.kind === 'sqlite') return backUpSqlite(database.path, destination);
  throw new SessionStoreStartError('The database is PostgreSQL: this command copies SQLite files.', 'Use pg_dump for it.');
}

/** @throws SessionStoreStartError, ConfigError */
export async function planSweepOf(env: Environment, now: Instant): Promise<PlannedSweep[]> {
  const sessionTtlMs = parseSessionTtl(env);
  const database = findDatabase(env);
  if (database.kind === 'sqlite' && !existsSync(database.path)) throw noDatabase(database.path);
  const sessions = await openSessionStore(database);
  try {
    return await planSweep(sessions, now, sessionTtlMs);
  } finally {
    await sessions.close();
  }
}

function findDatabase(env: Environment): DatabaseLocation {
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

function tellOnStderr(fields: object, message: string): void {
  process.stderr.write(`warning: ${message}: ${JSON.stringify(fields)}\n`);
}
