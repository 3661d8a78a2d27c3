import type { PlannedSweep } from '../../server/sweep-plan.ts';
import type { CliContext } from '../context.ts';
import { explainingStart } from './start-error.ts';

export type { PlannedSweep };

/** What the sweeper of the server on this machine would do now. */
export async function plannedSweep({ env, now }: CliContext): Promise<readonly PlannedSweep[]> {
  const { planSweepOf } = await import('../../server/token-main.ts');
  return explainingStart(() => planSweepOf(env, now()));
}
