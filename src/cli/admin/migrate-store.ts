import type { CliContext } from '../terminal/context.ts';
import { explainingDatabase } from './database-failure.ts';

/** How many rows of each table were copied. */
export async function migrateStore({ env }: CliContext): Promise<Readonly<Record<string, number>>> {
  const { moveHostDatabase } = await import('../../server/admin/database.ts');
  return explainingDatabase(() => moveHostDatabase(env));
}
