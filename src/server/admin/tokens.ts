import type { Instant } from '../../session/session.ts';
import { escapeInvisible } from '../../text/visible-text.ts';
import { createTokenAdmin } from '../access/tokens.ts';
import { createAuditLog } from '../audit/audit-log.ts';
import { noAudit } from '../audit/event.ts';
import type { Environment } from '../core/environment.ts';
import { withDatabaseFiles } from '../settings/config.ts';
import { findAuditLog } from '../settings/file-locations.ts';
import { openHostDatabase } from './database.ts';

/**
 * Opens the server's database and audit log for the token commands, whether the server runs or not. With `mayMake`, makes a missing
 * database, because the first token may be made before the server has ever started.
 * @throws SessionStoreStartError
 */
export async function openTokenAdmin(env: Environment, now: () => Instant, { mayMake }: { readonly mayMake: boolean }) {
  const { sessions, newFile } = await openHostDatabase(env, { mayMake });
  const auditPath = findAuditLog(withDatabaseFiles(env));
  const audit =
    auditPath === undefined
      ? undefined
      : createAuditLog({ path: auditPath, now, log: { warn: warnOnStderr, error: warnOnStderr } });
  return {
    /** Path of the database, if it was just made. */
    newFile,
    admin: createTokenAdmin(sessions, audit ?? noAudit, now),
    async close(): Promise<void> {
      audit?.close();
      await sessions.close();
    },
  };
}

function warnOnStderr(fields: object, message: string): void {
  process.stderr.write(`warning: ${escapeInvisible(`${message}: ${JSON.stringify(fields)}`)}\n`);
}
