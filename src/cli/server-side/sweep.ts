import type { PlannedSweep } from '../../server/sweep-plan.ts';
import type { CliContext } from '../context.ts';
import { explainingDatabase } from './database-failure.ts';

export type { PlannedSweep };

/** What the sweeper of the server on this machine would do now. */
export async function plannedSweep({ env, now }: CliContext): Promise<readonly PlannedSweep[]> {
  const { planSweepOf } = await import('../../server/machine-tasks.ts');
  return explainingDatabase(() => planSweepOf(env, now()));
}
