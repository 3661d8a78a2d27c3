import type { Instant } from '../../session/session.ts';
import { escapeUnseen } from '../../text/visible-text.ts';
import { createTokenAdmin } from '../access/tokens.ts';
import { createAuditLog } from '../audit/audit-log.ts';
import { noAudit } from '../audit/event.ts';
import { withDatabaseFiles } from '../settings/config.ts';
import { findAuditLog } from '../settings/file-locations.ts';
import { openMachineDatabase } from './database.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Composition root of the commands on the server's machine: its database and audit log, whether the server runs or not. `mayMake`: the
 * first token may be made before the server has ever started.
 * @throws SessionStoreStartError
 */
export async function openTokenAdmin(env: Environment, now: () => Instant, { mayMake }: { readonly mayMake: boolean }) {
  const { sessions, newFile } = await openMachineDatabase(env, { mayMake });
  const auditPath = findAuditLog(withDatabaseFiles(env));
  const audit =
    auditPath === undefined
      ? undefined
      : createAuditLog({ path: auditPath, now, log: { warn: tellOnStderr, error: tellOnStderr } });
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

function tellOnStderr(fields: object, message: string): void {
  process.stderr.write(`warning: ${escapeUnseen(`${message}: ${JSON.stringify(fields)}`)}\n`);
}
