import type { CliContext } from '../context.ts';
import { explainingStart } from './start-error.ts';

/** Copies the database that a server on this machine uses. Returns the size of the copy, in bytes. */
export async function backUpDatabase({ env }: CliContext, destination: string): Promise<number> {
  const { backUp } = await import('../../server/token-main.ts');
  return explainingStart(() => backUp(env, destination));
}
