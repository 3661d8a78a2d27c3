import type { createTokenAdmin, TokenWithUsage } from '../../server/access/tokens.ts';
import type { createEventAdmin } from '../../server/admin/events.ts';
import type { AuditLine } from '../../server/audit/event.ts';
import type { AuditBatch, AuditFilter, AuditRecord } from '../../server/audit/read-audit.ts';
import type { PlannedSweep } from '../../server/lifecycle/sweep-plan.ts';
import type { CliContext } from '../terminal/context.ts';
import { explainingDatabase } from './database-failure.ts';

/*
 * Commands on the server's own host work on its database and its audit log, whether the server runs or not. Each function loads the
 * server's code when it is called, because no other command needs it and loading it takes longer than most commands run.
 */

export type { AuditBatch, AuditFilter, AuditLine, AuditRecord, PlannedSweep, TokenWithUsage };

type TokenAdmin = ReturnType<typeof createTokenAdmin>;
type EventAdmin = ReturnType<typeof createEventAdmin>;

const DATABASE_VARIABLE = ['PARTWAY_DATABASE_URL', "The server's database, as `partway serve` has it"] as const;
export const EVENT_ENVIRONMENT = [DATABASE_VARIABLE] as const;
export const HOST_ENVIRONMENT = [
  DATABASE_VARIABLE,
  ['PARTWAY_AUDIT_LOG', "Path of the server's audit log, as `partway serve` has it"],
] as const;

export async function withTokenAdmin<T>(
  { env, now, stderr }: CliContext,
  work: (admin: TokenAdmin) => Promise<T>,
  { mayMakeDatabase = false } = {},
): Promise<T> {
  const { openTokenAdmin } = await import('../../server/admin/tokens.ts');
  return explainingDatabase(async () => {
    const { admin, newFile, close } = await openTokenAdmin(env, now, { mayMake: mayMakeDatabase });
    if (newFile !== undefined) stderr.line(`note: made a new database, ${newFile}`);
    return work(admin).finally(close);
  });
}

export async function withEventAdmin<T>({ env, now }: CliContext, work: (admin: EventAdmin) => Promise<T>): Promise<T> {
  const { openEventAdmin } = await import('../../server/admin/events.ts');
  return explainingDatabase(async () => {
    const { admin, close } = await openEventAdmin(env, now);
    return work(admin).finally(close);
  });
}

/** Returns the size of the copy, in bytes. */
export async function backUpDatabase({ env }: CliContext, destination: string): Promise<number> {
  const { backUpHostDatabase } = await import('../../server/admin/database.ts');
  return explainingDatabase(() => backUpHostDatabase(env, destination));
}

/** Returns the number of rows that were copied, for each table. */
export async function migrateStore({ env }: CliContext): Promise<Readonly<Record<string, number>>> {
  const { moveHostDatabase } = await import('../../server/admin/database.ts');
  return explainingDatabase(() => moveHostDatabase(env));
}

/** Plans what the server's sweeper would do now. */
export async function planSweep({ env, now }: CliContext): Promise<readonly PlannedSweep[]> {
  const { planHostSweep } = await import('../../server/admin/database.ts');
  return explainingDatabase(() => planHostSweep(env, now()));
}

/** Finds the path of the audit log; undefined if the server writes none. */
export async function findAuditLog({ env }: CliContext): Promise<string | undefined> {
  const { findAuditLog: find } = await import('../../server/settings/file-locations.ts');
  const { withDatabaseFiles } = await import('../../server/settings/config.ts');
  return explainingDatabase(() => find(withDatabaseFiles(env)));
}

/** @throws the system's error */
export async function* readAuditLog(path: string, filter: AuditFilter): AsyncGenerator<AuditBatch> {
  const { readAudit } = await import('../../server/audit/read-audit.ts');
  yield* readAudit(path, filter);
}
