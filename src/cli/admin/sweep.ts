import type { PlannedSweep } from '../../server/lifecycle/sweep-plan.ts';
import type { CliContext } from '../terminal/context.ts';
import { explainingDatabase } from './database-failure.ts';

export type { PlannedSweep };

/** What the sweeper of the server on this machine would do now. */
export async function plannedSweep({ env, now }: CliContext): Promise<readonly PlannedSweep[]> {
  const { planHostSweep } = await import('../../server/admin/database.ts');
  return explainingDatabase(() => planHostSweep(env, now()));
}
