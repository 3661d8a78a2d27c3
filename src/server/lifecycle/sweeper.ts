import { randomUUID } from 'node:crypto';
import { ObjectStoreError } from '../../object-store/port.ts';
import { isUploadError } from '../../session/errors.ts';
import type { Status } from '../../session/machine.ts';
import type { Instant, UploadSession } from '../../session/session.ts';
import type { LeftoverUpload, OrphanSuspect, SweepLease } from '../../session-store/port/sweep.ts';
import { SessionStoreUnavailable } from '../../session-store/port/unavailable.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { settle } from './complete.ts';
import { end, finishEnding } from './end.ts';
import { mustGet, objectsOf, openUpload, releaseUpload } from './transitions.ts';

/** A running request may keep a session in an `-ing` status for this long (Complete of a huge object takes longest); older ones were left by a crash. */
const GRACE_MS = 15 * 60_000;
/** Length of the lease in sweep intervals, so that a late sweep or a short outage of the database does not lose it. */
const LEASE_INTERVALS = 3;
/** Number of sessions that are read at a time. */
const BATCH = 100;
/** A request for a multipart upload takes at most two minutes (twice its time limit). */
const CREATE_TAKES_MS = 2 * 60_000;
/** A request to abort is one call to the store, of at most two minutes: a session that is `aborting` for longer waits for the sweeper. */
const ABORT_TAKES_MS = 2 * 60_000;
/** Clocks of server and object store that differ by less are not corrected. */
const CLOCKS_DIFFER_MS = 60_000;

export interface SweepReport {
  expired: number;
  repaired: number;
  released: number;
  failed: number;
}

/** Called after each sweep: without a report if the sweep broke off. `at` is in milliseconds since the epoch. */
export type SweepListener = (sweep: { readonly report?: SweepReport; readonly ms: number; readonly at: number }) => void;

/** For a sweep while no request can be in progress: everything up to now is repaired. */
export const NO_GRACE_MS = 0;

/** Returns limits of time: sessions that have been idle, or in an `-ing` status, since before them are swept. */
export function sweepLimits(now: Instant, sessionTtlMs: number, graceMs = GRACE_MS) {
  // Without grace, the sessions of this very millisecond count as well: "since before the next one".
  const stuckSince: Instant = graceMs === NO_GRACE_MS ? now + 1 : now - graceMs;
  const idleSince: Instant = now - sessionTtlMs;
  return { stuckSince, idleSince, abortingSince: Math.max(stuckSince, now - ABORT_TAKES_MS) };
}

export interface SweepOptions {
  /** When it is aborted, the sweep breaks off; the next one goes on. */
  readonly stop?: AbortSignal;
  /** Whether the clock can be trusted, so that things may be deleted because their time has run out. */
  readonly mayExpire?: boolean;
}

/**
 * Ends sessions whose time has run out and finishes what a crash interrupted. Every repair is the same code that a request runs, and is
 * safe to run beside requests: statuses change by compare-and-set, and calls of the object store are idempotent or checked.
 * NO_GRACE_MS suits the start of the only server on a database (not `isShared`), when no request can be in progress.
 * Repairs and leftovers do not wait for a trusted clock: the status of a session says that they are due, and the time only says how long a
 * request may still be in progress.
 */
export async function sweep(
  deps: ServiceDeps,
  graceMs = GRACE_MS,
  { stop, mayExpire = true }: SweepOptions = {},
): Promise<SweepReport> {
  const { sessions, now, policy } = deps;
  const report: SweepReport = { expired: 0, repaired: 0, released: 0, failed: 0 };
  const { stuckSince, idleSince, abortingSince } = sweepLimits(now(), policy.sessionTtlMs, graceMs);

  for (const status of mayExpire ? (['open', 'creating'] as const) : []) {
    const idle = (limit: number) => sessions.listIdleSince(status, idleSince, limit);
    await each('expired', idle, (session) => expire(deps, session, idleSince));
  }
  await each('repaired', stuckIn('creating'), (session) => openUpload(deps, session, false));
  await each('repaired', stuckIn('completing'), (session) => settleAlone(deps, session));
  const aborting = (limit: number) => sessions.listUnchangedSince('aborting', abortingSince, limit);
  await each('repaired', aborting, (session) => finishEnding(deps, session));
  await each(
    'released',
    (limit) => sessions.leftoverUploads(stuckSince, limit),
    (upload) => releaseLeftover(deps, upload),
  );
  const suspects = (limit: number) => sessions.listOrphanSuspects(stuckSince, limit);
  await each('released', suspects, (suspect) => releaseOrphans(deps, suspect, stuckSince));
  if (mayExpire) {
    await sessions.deleteExpiredCapabilities(now());
    await sessions.deleteIdempotencyKeys(idleSince);
  }
  return report;

  function stuckIn(status: Status) {
    return (limit: number) => sessions.listUnchangedSince(status, stuckSince, limit);
  }

  /** Repairs listed items until none is left. Items that fail stay first in the list: each is tried once, and must not hide the items after it. */
  async function each<Item extends { readonly sessionId: string; readonly generation?: number }>(
    kind: 'expired' | 'repaired' | 'released',
    list: (limit: number) => Promise<Item[]>,
    /** Resolves to false if there was nothing to do after all. */
    repair: (item: Item) => Promise<unknown>,
  ): Promise<void> {
    const tried = new Set<string>();
    let stays = 0;
    for (let more = true; more; ) {
      const listed = await list(stays + BATCH);
      const items = listed.filter((item) => !tried.has(nameOf(item)));
      more = listed.length === stays + BATCH;
      stays = listed.length - items.length;
      for (const item of items) {
        if (stop?.aborted) return;
        tried.add(nameOf(item));
        try {
          if ((await repair(item)) !== false) report[kind]++;
        } catch (error) {
          // One session that cannot be repaired now must not keep the others waiting. The next sweep tries again.
          report.failed++;
          more &&= !isUnavailable(error);
          deps.log.warn({ sessionId: item.sessionId, err: error }, `sweep: could not be ${kind}`);
        }
      }
    }
  }
}

function nameOf({ sessionId, generation = 0 }: { readonly sessionId: string; readonly generation?: number }): string {
  return `${sessionId} ${generation}`;
}

/** True where all other items would fail as well, each after its time limit. */
function isUnavailable(error: unknown): boolean {
  return error instanceof SessionStoreUnavailable || (error instanceof ObjectStoreError && error.failure === 'unavailable');
}

/** Expires a session. With a slow store the list may be minutes old, so a client that came back meanwhile keeps its parts. */
async function expire(deps: ServiceDeps, { sessionId, status }: UploadSession, idleSince: Instant): Promise<boolean> {
  const current = await mustGet(deps, sessionId);
  if (current.status !== status || current.lastActivityAt >= idleSince) return false;
  await end(deps, current, 'expired');
  return true;
}

/** Settles a session without its client. A definite refusal settles it, too: the session is open again, and its client will get the reason. */
async function settleAlone(deps: ServiceDeps, session: UploadSession): Promise<void> {
  try {
    await settle(deps, session);
  } catch (error) {
    if (!isUploadError(error)) throw error;
  }
}

/**
 * Aborts an upload that no session uses any more, a while after a request completed or aborted it: MinIO keeps a part that arrived in
 * that moment, and lists it as an upload that does not exist (measured). S3 asks for aborts to be repeated, too.
 */
async function releaseLeftover(deps: ServiceDeps, upload: LeftoverUpload): Promise<void> {
  await releaseUpload(deps, upload);
  await deps.sessions.endUpload(upload.sessionId, upload.generation, deps.now());
}

/**
 * Aborts uploads that a crash between CreateMultipartUpload and its record left behind, which no session can use. MinIO lists uploads of
 * an exact key only (measured), so such keys are noted before the call is repeated. The list does not say which program began an upload:
 * an upload is aborted only if the session can have begun it, by its time, if it is not recorded, and if no request in progress can be
 * about to record it.
 */
async function releaseOrphans(deps: ServiceDeps, suspect: OrphanSuspect, before: Instant): Promise<void> {
  const objects = objectsOf(deps, suspect);
  const from = suspect.createdAt - CLOCKS_DIFFER_MS;
  const to = Math.min(before, suspect.suspectedAt + CREATE_TAKES_MS + CLOCKS_DIFFER_MS);
  for (const { uploadId, initiatedAt } of await objects.listMultipartUploads(suspect.key)) {
    if (initiatedAt < from || initiatedAt >= to || (await deps.sessions.hasUpload(uploadId))) continue;
    await objects.abortMultipartUpload(suspect.key, uploadId);
  }
  await deps.sessions.clearOrphanSuspicion(suspect.sessionId, before);
}

/**
 * Sweeps at once, then every `intervalMs`, one sweep at a time, until stopped. Of several servers on one database, one sweeps. The first sweep
 * has no grace time where no other server can use the database, because no request can then be in progress. `mayExpire` is called at
 * the beginning of each sweep.
 */
export function startSweeper(
  deps: ServiceDeps,
  intervalMs: number,
  onSweep: SweepListener = () => {},
  mayExpire: () => Promise<boolean> = async () => true,
): { stop(): Promise<void> } {
  const { sessions, log } = deps;
  const lease = createLease(deps, LEASE_INTERVALS * intervalMs);
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const run = (graceMs?: number) => {
    // Acquired now, not after an earlier sweep: a sweep that takes longer than the lease then keeps it.
    const isOurs = lease.acquire();
    // A failure is logged below, when it is this sweep's turn; until then nothing awaits the promise.
    isOurs.catch(() => {});
    running = running.then(async () => {
      const startedAt = performance.now();
      const end = () => ({ ms: performance.now() - startedAt, at: deps.now() });
      try {
        if (!(await isOurs)) return;
        const report = await sweep(deps, graceMs, { stop: stopping.signal, mayExpire: await mayExpire() });
        onSweep({ report, ...end() });
        if (Object.values(report).some((count) => count > 0)) log.info({ ...report }, 'swept');
      } catch (error) {
        onSweep(end());
        log.error({ err: error }, 'sweep failed; the next one tries again');
      }
    });
  };
  run(sessions.isShared ? GRACE_MS : NO_GRACE_MS);
  const timer = setInterval(run, intervalMs);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      stopping.abort();
      await running;
      await lease.release();
    },
  };
}

/** The right to sweep. After a server dies, the others wait for it up to `ttlMs`. */
function createLease(
  { sessions, now, log }: Pick<ServiceDeps, 'now' | 'log'> & { readonly sessions: SweepLease },
  ttlMs: number,
) {
  // The only server of a database that is not shared is the same holder after a crash, and need not wait for itself.
  const holder = sessions.isShared ? randomUUID() : 'the only server';
  return {
    acquire: (): Promise<boolean> => sessions.acquireSweepLease(holder, now(), ttlMs),
    async release(): Promise<void> {
      try {
        await sessions.releaseSweepLease(holder);
      } catch (error) {
        log.warn({ err: error }, 'the sweep lease could not be released; another server sweeps once it has expired');
      }
    },
  };
}
