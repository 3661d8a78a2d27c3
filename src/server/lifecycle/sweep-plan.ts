import type { Instant } from '../../session/session.ts';
import type { SweepQueries } from '../../session-store/port/sweep.ts';
import { sweepLimits } from './sweeper.ts';

/** `expire`: its time has run out. `repair`: a crash left it half-way. `release`: the object store may hold an upload that no session uses any more. */
export type SweepAction = 'expire' | 'repair' | 'release';

export interface PlannedSweep {
  readonly action: SweepAction;
  readonly sessionId: string;
  readonly bucket: string;
  readonly key: string;
  readonly status: string;
  /** Bytes of the recorded parts that would be deleted; null for an upload that is to be released, because its parts are not counted any more. */
  readonly heldBytes: number | null;
  readonly since: Instant | null;
}

/** Most entries of one kind in a plan. */
export const MOST_OF_A_KIND = 1_000;

/** Lists what the sweeper would do now, from the records alone: nothing is changed, and the object store is not asked. */
export async function planSweep(sessions: SweepQueries, now: Instant, sessionTtlMs: number): Promise<PlannedSweep[]> {
  const { idleSince, stuckSince, abortingSince } = sweepLimits(now, sessionTtlMs);
  const planned: PlannedSweep[] = [];
  for (const status of ['open', 'creating'] as const) {
    for (const session of await sessions.listIdleSince(status, idleSince, MOST_OF_A_KIND)) {
      const { sessionId, bucket, key, storedBytes, lastActivityAt } = session;
      planned.push({ action: 'expire', sessionId, bucket, key, status, heldBytes: storedBytes, since: lastActivityAt });
    }
  }
  const expiring = new Set(planned.map(({ sessionId }) => sessionId));
  for (const status of ['creating', 'completing', 'aborting'] as const) {
    const since = status === 'aborting' ? abortingSince : stuckSince;
    for (const session of await sessions.listUnchangedSince(status, since, MOST_OF_A_KIND)) {
      const { sessionId, bucket, key, storedBytes, updatedAt } = session;
      if (expiring.has(sessionId)) continue;
      planned.push({ action: 'repair', sessionId, bucket, key, status, heldBytes: storedBytes, since: updatedAt });
    }
  }
  for (const { sessionId, bucket, key } of await sessions.leftoverUploads(stuckSince, MOST_OF_A_KIND)) {
    planned.push({ action: 'release', sessionId, bucket, key, status: 'left over', heldBytes: null, since: null });
  }
  for (const { sessionId, bucket, key, suspectedAt } of await sessions.listOrphanSuspects(stuckSince, MOST_OF_A_KIND)) {
    planned.push({ action: 'release', sessionId, bucket, key, status: 'suspected', heldBytes: null, since: suspectedAt });
  }
  return planned;
}
