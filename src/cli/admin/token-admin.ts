import type { createTokenAdmin, TokenWithUsage } from '../../server/access/tokens.ts';
import type { CliContext } from '../terminal/context.ts';
import { explainingDatabase } from './database-failure.ts';

export type { TokenWithUsage };

type TokenAdmin = ReturnType<typeof createTokenAdmin>;

/** Of the commands that work on the server's own files. */
export const HOST_ENVIRONMENT = [
  ['PARTWAY_DATABASE_URL', "The server's database, as `partway serve` has it"],
  ['PARTWAY_AUDIT_LOG', "Path of the server's audit log, as `partway serve` has it"],
] as const;

/** Works on the database that a server on this machine uses, whether it runs or not, and closes it. */
export async function withTokenAdmin<T>(
  context: CliContext,
  work: (admin: TokenAdmin) => Promise<T>,
  { mayMakeDatabase = false } = {},
): Promise<T> {
  const { openTokenAdmin } = await import('../../server/admin/tokens.ts');
  const { admin, newFile, close } = await explainingDatabase(() =>
    openTokenAdmin(context.env, context.now, { mayMake: mayMakeDatabase }),
  );
  if (newFile !== undefined) context.stderr.line(`note: made a new database, ${newFile}`);
  try {
    return await explainingDatabase(() => work(admin));
  } finally {
    await close();
  }
}
