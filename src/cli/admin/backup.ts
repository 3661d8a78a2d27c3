import type { CliContext } from '../terminal/context.ts';
import { explainingDatabase } from './database-failure.ts';

/** Copies the database that a server on this machine uses. Returns the size of the copy, in bytes. */
export async function backUpDatabase({ env }: CliContext, destination: string): Promise<number> {
  const { backUpHostDatabase } = await import('../../server/admin/database.ts');
  return explainingDatabase(() => backUpHostDatabase(env, destination));
}
