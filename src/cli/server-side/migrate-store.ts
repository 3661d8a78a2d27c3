import type { CliContext } from '../context.ts';
import { explainingStart } from './start-failure.ts';

/** How many rows of each table were copied. */
export async function migrateStore({ env, now }: CliContext): Promise<Readonly<Record<string, number>>> {
  const { moveMachineDatabase } = await import('../../server/machine-database.ts');
  return explainingStart(() => moveMachineDatabase(env, now()));
}
