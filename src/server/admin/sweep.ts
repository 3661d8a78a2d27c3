import type { Instant } from '../../session/session.ts';
import { type PlannedSweep, planSweep } from '../lifecycle/sweep-plan.ts';
import { parseSessionTtl } from '../settings/config.ts';
import { openHostDatabase } from './database.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws SessionStoreStartError, ConfigError */
export async function planSweepOf(env: Environment, now: Instant): Promise<PlannedSweep[]> {
  const sessionTtlMs = parseSessionTtl(env);
  const { sessions } = await openHostDatabase(env, { mayMake: false });
  try {
    return await planSweep(sessions, now, sessionTtlMs);
  } finally {
    await sessions.close();
  }
}
