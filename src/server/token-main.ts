import { existsSync } from 'node:fs';
import type { Instant } from '../session/session.ts';
import { openSqliteStore } from '../session-store/sqlite.ts';
import { backUpSqlite } from '../session-store/sqlite-backup.ts';
import { SessionStoreStartError } from '../session-store/start-error.ts';
import { createAuditLog } from './audit/audit-log.ts';
import { noAudit } from './audit/event.ts';
import { findAuditLog, findDatabase } from './file-locations.ts';
import { createTokenAdmin } from './tokens.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Composition root of the token commands: the server's database and audit log, whether the server runs or not. `mayMake`: the
 * first token may be made before the server has ever started.
 * @throws SessionStoreStartError
 */
export function openTokenAdmin(env: Environment, now: () => Instant, { mayMake }: { readonly mayMake: boolean }) {
  const path = findDatabase(env);
  const isNew = !existsSync(path);
  if (isNew && !mayMake) throw noDatabase(path);
  const sessions = openSqliteStore(path);
  const auditPath = findAuditLog(env);
  const audit = auditPath === undefined ? undefined : createAuditLog({ path: auditPath, now, log: { error: tellOnStderr } });
  return {
    database: { path, isNew },
    admin: createTokenAdmin(sessions, audit ?? noAudit, now),
    async close(): Promise<void> {
      audit?.close();
      await sessions.close();
    },
  };
}

/** @throws SessionStoreStartError */
export function backUp(env: Environment, destination: string): number {
  return backUpSqlite(findDatabase(env), destination);
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
