import type { createTokenAdmin, TokenWithUsage } from '../../server/tokens.ts';
import type { CliContext } from '../context.ts';

export type { TokenWithUsage };

type TokenAdmin = ReturnType<typeof createTokenAdmin>;

/** Of the commands that work on the server's own files. */
export const MACHINE_ENVIRONMENT = [
  ['PARTWAY_DATABASE_URL', "Path of the server's SQLite file, as `partway serve` has it"],
  ['PARTWAY_AUDIT_LOG', "Path of the server's audit log, as `partway serve` has it"],
] as const;

/** Works on the database that a server on this machine uses, whether it runs or not. */
export async function withTokenAdmin<T>(context: CliContext, work: (admin: TokenAdmin) => Promise<T>): Promise<T> {
  const { openTokenAdmin } = await import('../../server/main.ts');
  const { admin, close } = await openTokenAdmin(context.env, context.now);
  try {
    return await work(admin);
  } finally {
    await close();
  }
}
