import { isUploadError } from '../session/errors.ts';
import type { Instant, UploadSession } from '../session/session.ts';
import { settle } from './completion.ts';
import type { ServiceDeps } from './deps.ts';
import { end, finishEnding } from './ending.ts';
import { mustGet, objectsOf, openUpload, releaseUpload } from './generations.ts';

/** A running request may leave an `-ing` status for this long; older ones were left by a crash. Longest is Complete of a huge object. */
const GRACE_MS = 15 * 60_000;
/** One sweep handles this many of a kind; the next one goes on. */
const BATCH = 100;

export interface SweepReport {
  expired: number;
  repaired: number;
  released: number;
  failed: number;
}

/**
 * Ends sessions whose time ran out and finishes what a crash interrupted. Every repair is the same code that a request runs,
 * and each is safe to run beside requests: statuses change by compare-and-set, and the store's calls are idempotent or checked.
 * `graceMs` 0 suits the start of the only server on a database: nothing can be under way then.
 */
export async function sweep(deps: ServiceDeps, graceMs = GRACE_MS): Promise<SweepReport> {
  const { sessions, now, policy } = deps;
  const report: SweepReport = { expired: 0, repaired: 0, released: 0, failed: 0 };
  const stuckSince = now() - graceMs + (graceMs === 0 ? 1 : 0);
  const idleSince = now() - policy.sessionTtlMs;

  for (const status of ['open', 'creating'] as const) {
    await each('expired', await sessions.listIdleSince(status, idleSince, BATCH), (session) => expire(deps, session, idleSince));
  }
  await each('repaired', await sessions.listUnchangedSince('creating', stuckSince, BATCH), (session) =>
    openUpload(deps, session, false),
  );
  await each('repaired', await sessions.listUnchangedSince('completing', stuckSince, BATCH), (session) =>
    settleAlone(deps, session),
  );
  await each('repaired', await sessions.listUnchangedSince('aborting', stuckSince, BATCH), (session) =>
    finishEnding(deps, session),
  );
  await each('released', await sessions.leftoverUploads(BATCH), (upload) => releaseUpload(deps, upload));
  await each('released', await sessions.listOrphanSuspects(stuckSince, BATCH), (session) =>
    releaseOrphans(deps, session, stuckSince),
  );
  return report;

  async function each<Item extends { readonly sessionId: string }>(
    kind: 'expired' | 'repaired' | 'released',
    items: readonly Item[],
    /** Resolves to false where there was nothing to do after all. */
    repair: (item: Item) => Promise<unknown>,
  ): Promise<void> {
    for (const item of items) {
      try {
        if ((await repair(item)) !== false) report[kind]++;
      } catch (error) {
        // One session that cannot be repaired now must not keep the others waiting; the next sweep tries again.
        report.failed++;
        deps.log.warn({ sessionId: item.sessionId, err: error }, `sweep: could not be ${kind}`);
      }
    }
  }
}

/** The list may be minutes old when a slow store comes to its last session: a client that came back meanwhile keeps its parts. */
async function expire(deps: ServiceDeps, { sessionId, status }: UploadSession, idleSince: Instant): Promise<boolean> {
  const current = await mustGet(deps, sessionId);
  if (current.status !== status || current.lastActivityAt >= idleSince) return false;
  await end(deps, current, 'expired');
  return true;
}

/** Settled by a definite refusal, too: the session is open again, and its client will hear the reason. */
async function settleAlone(deps: ServiceDeps, session: UploadSession): Promise<void> {
  try {
    await settle(deps, session);
  } catch (error) {
    if (!isUploadError(error)) throw error;
  }
}

/**
 * A crash between CreateMultipartUpload and its record leaves an upload that nobody can use. MinIO lists uploads of an
 * exact key only (measured), so such keys are noted before the call is repeated. Young unrecorded ones may belong to a request under way.
 */
async function releaseOrphans(deps: ServiceDeps, session: UploadSession, before: Instant): Promise<void> {
  for (const upload of await objectsOf(deps, session).listMultipartUploads(session.key)) {
    if (upload.initiatedAt >= before || (await deps.sessions.hasUpload(upload.uploadId))) continue;
    await deps.objects.abortMultipartUpload(session.key, upload.uploadId);
  }
  await deps.sessions.clearOrphanSuspicion(session.sessionId, before);
}

/** Sweeps at once, then every `intervalMs`, one at a time, until stopped. */
export function startSweeper(deps: ServiceDeps, intervalMs: number): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  const run = (graceMs?: number) => {
    running = running.then(async () => {
      try {
        const report = await sweep(deps, graceMs);
        if (Object.values(report).some((count) => count > 0)) deps.log.info({ ...report }, 'swept');
      } catch (error) {
        deps.log.error({ err: error }, 'sweep failed; the next one tries again');
      }
    });
  };
  run(0);
  const timer = setInterval(run, intervalMs);
  timer.unref();
  return {
    stop() {
      clearInterval(timer);
      return running;
    },
  };
}
