import type * as wire from '../contract/wire.ts';
import { ObjectStoreError } from '../object-store/port.ts';
import { createFreshFlight } from '../outbound/fresh-flight.ts';
import { hasScope } from '../session/access.ts';
import { UploadError } from '../session/errors.ts';
import { isTerminal, type Status } from '../session/machine.ts';
import { partLength } from '../session/part-plan.ts';
import { partNumbersOf } from '../session/part-ranges.ts';
import type { StoredPart, UploadSession } from '../session/session.ts';
import { type Caller, mustBeUnlimited, mustChange, mustHaveOneOf, mustSee } from './access/caller.ts';
import { grantCapability } from './access/capability.ts';
import { type Audit, subjectOf } from './audit/event.ts';
import type { ServiceDeps } from './core/deps.ts';
import { logOfRequest } from './core/request-log.ts';
import { createSingleFlight } from './core/single-flight.ts';
import { progressView, sessionView } from './core/views.ts';
import { createForgeryGuard } from './health/forgery-guard.ts';
import { createReadiness } from './health/readiness.ts';
import { createStoreReport } from './health/store-report.ts';
import {
  complete,
  finishIfStored,
  isObjectOf,
  listStoredParts,
  missingParts,
  refuse,
  unprovenParts,
} from './lifecycle/complete.ts';
import { create } from './lifecycle/create.ts';
import { end } from './lifecycle/end.ts';
import { presignParts } from './lifecycle/presign.ts';
import { replanUpload } from './lifecycle/replan.ts';
import { compareWithRecord } from './lifecycle/stored-object.ts';
import { ensureOpen, heal, mustGet, notOpen, objectsOf } from './lifecycle/transitions.ts';

export interface ListQuery {
  readonly status?: Status | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** What the control plane can do, in the wire's words. The only place where statuses, session store and object store meet. */
export type UploadService = ReturnType<typeof createService>;

/** A session lives for a minute at the least: who asks for URLs again and again need not be written down each time. */
const TOUCH_EVERY_MS = 10_000;

/** Told of what is worth counting and nobody else is told of. */
export interface ServiceEvents {
  reported(parts: readonly StoredPart[]): void;
}
const NOBODY: ServiceEvents = { reported() {} };

/** Every method that a token is needed for takes the caller first, and nothing of a session is told or done before he is judged. */
export function createService(serverDeps: Omit<ServiceDeps, 'audit'>, audit: Audit, events: ServiceEvents = NOBODY) {
  const { sessions, now, policy } = serverDeps;
  const completions = createSingleFlight<UploadSession>();
  const forgery = createForgeryGuard(serverDeps);
  const storeReport = createStoreReport(serverDeps, forgery);
  const readiness = createReadiness(serverDeps, forgery);
  const listings = createFreshFlight<{ session: UploadSession; parts: readonly StoredPart[] }>();

  return {
    async create(caller: Caller, request: wire.CreateRequest, idempotencyKey?: string) {
      mustHaveOneOf(caller.grant, 'upload');
      await forgery.check();
      const { session, created } = await create(depsFor(caller), caller.grant, request, idempotencyKey);
      return { session: sessionView(session, policy), created };
    },

    async get(caller: Caller, sessionId: string): Promise<wire.Session> {
      return sessionView(await mustSee(depsFor(caller), caller, sessionId), policy);
    },

    async list({ grant }: Caller, { status, limit, cursor }: ListQuery): Promise<wire.SessionList> {
      mustHaveOneOf(grant, 'upload', 'read');
      const { bucket, keyPrefix } = grant.limits;
      const page = await sessions.list({
        limit,
        keyPrefix,
        ...(bucket !== null && { bucket }),
        ...(!hasScope(grant, 'read') && { owner: grant.owner }),
        ...(status && { status }),
        ...(cursor && { cursor }),
      });
      return { uploads: page.sessions.map((session) => sessionView(session, policy)), nextCursor: page.nextCursor };
    },

    async presign(caller: Caller, sessionId: string, request: wire.PresignRequest): Promise<wire.PresignResponse> {
      const deps = depsFor(caller);
      const found = await mustChange(deps, caller, sessionId);
      checkPartNumbers(found, '/partNumbers', request.partNumbers);
      const session = await ensureOpen(deps, found);
      if (now() - session.lastActivityAt >= TOUCH_EVERY_MS) await sessions.touch(sessionId, now());
      return { parts: await presignParts(serverDeps, session, request) };
    },

    /**
     * What the store holds. A listing costs the store seconds when there are thousands of parts, so one serves all who wait for
     * it. It is never older than the question: who lost the answer to a part asks here, and would send the part again.
     */
    async parts(caller: Caller, sessionId: string): Promise<wire.PartsResponse> {
      const deps = depsFor(caller);
      await mustChange(deps, caller, sessionId);
      const { session, parts } = await listings.run(sessionId, () => reconcile(deps, sessionId));
      return partsView(session, parts);
    },

    async replan(caller: Caller, sessionId: string, request: wire.PlanRequest): Promise<wire.Session> {
      const deps = depsFor(caller);
      return sessionView(await replanUpload(deps, await mustChange(deps, caller, sessionId), request), policy);
    },

    async report(caller: Caller, sessionId: string, report: wire.ReportRequest): Promise<wire.Progress> {
      const session = await mustChange(depsFor(caller), caller, sessionId);
      if (isTerminal(session.status) || session.status === 'aborting') throw notOpen(session);
      const parts = report.parts ?? [];
      checkPartNumbers(
        session,
        '/parts',
        parts.map((part) => part.partNumber),
      );
      const stored = parts.map((part) => reportedPart(session, part));
      const answer = await sessions.report({
        sessionId,
        generation: session.generation,
        clientId: report.clientId,
        parts: stored,
        inFlightBytes: report.inFlightBytes ?? 0,
        bytesPerSecond: report.bytesPerSecond ?? 0,
        at: now(),
      });
      if (answer.outcome === 'replaced') throw clientReplaced(session);
      if (answer.outcome === 'recorded') events.reported(stored);
      return progressView(answer.session, now());
    },

    async complete(caller: Caller, sessionId: string, request: wire.CompleteRequest): Promise<wire.Session> {
      const deps = depsFor(caller);
      await mustChange(deps, caller, sessionId);
      // Repeats while one is running wait for its answer. Other claims are another question, asked when the first is answered.
      const session = await completions.run(sessionId, JSON.stringify(request), () => complete(deps, sessionId, request));
      return sessionView(session, policy);
    },

    async abort(caller: Caller, sessionId: string): Promise<wire.Session> {
      const deps = depsFor(caller);
      return sessionView(await end(deps, await mustChange(deps, caller, sessionId), 'aborted'), policy);
    },

    grantCapability(caller: Caller, sessionId: string, request: wire.CapabilityRequest): Promise<wire.Capability> {
      return grantCapability(depsFor(caller), caller, sessionId, request);
    },

    async object(caller: Caller, sessionId: string): Promise<wire.StoredObject> {
      const session = await mustSee(depsFor(caller), caller, sessionId);
      const head = await objectsOf(serverDeps, session).headObject(session.key);
      const { bucket, key } = session;
      if (head === undefined) throw objectNotFound(session, `Bucket ${bucket} holds no object ${key}.`);
      const uploadedBySession = isObjectOf(session, head);
      // An uploader may name any key below his prefix: that does not let him look at what others put there.
      if (!uploadedBySession && !hasScope(caller.grant, 'read')) {
        throw objectNotFound(session, `At the key ${key} of bucket ${bucket} is another object than that of this session.`);
      }
      return {
        sessionId,
        bucket,
        key,
        size: head.size,
        etag: head.etag,
        checksum: head.checksum,
        uploadedBySession,
        sinceCompletion: compareWithRecord(session, head),
      };
    },

    /** Lets the edge decide how large a list of stored parts may be. */
    async partCount(caller: Caller, sessionId: string): Promise<number> {
      return (await mustChange(depsFor(caller), caller, sessionId)).plan.partCount;
    },

    async progress(caller: Caller, sessionId: string): Promise<wire.Progress> {
      return progressView(await mustSee(depsFor(caller), caller, sessionId), now());
    },

    async store({ grant }: Caller): Promise<wire.StoreReport> {
      mustHaveOneOf(grant, 'upload', 'read');
      return storeReport();
    },

    /** About the whole server, so for those who may see all of it. @throws UploadError `FORBIDDEN` */
    mustOversee({ grant }: Caller): void {
      mustHaveOneOf(grant, 'read');
      mustBeUnlimited(grant);
    },

    readiness,
  };

  /** The audit log says on whose behalf a session changed, and each line of the log in which request it was written. */
  function depsFor({ grant, address, requestId }: Caller): ServiceDeps {
    const who = { token: grant.owner, tokenId: grant.tokenId, address, requestId };
    const log = logOfRequest(serverDeps.log, requestId);
    return {
      ...serverDeps,
      log,
      audit: (event, session, more) => audit.record({ event, ...who, ...subjectOf(session), ...more }),
    };
  }

  /** Makes our record what the store says. A lost upload heals; an object that is there already completes the session; parts that a broken Complete lost open it. */
  async function reconcile(
    deps: ServiceDeps,
    sessionId: string,
  ): Promise<{ session: UploadSession; parts: readonly StoredPart[] }> {
    const found = await mustGet(deps, sessionId);
    if (found.status === 'completed') return { session: found, parts: await recordedParts(found) };
    if (isTerminal(found.status) || found.status === 'aborting') throw notOpen(found);
    const session = found.status === 'creating' ? await ensureOpen(deps, found) : found;
    try {
      const parts = await listStoredParts(deps, session);
      await sessions.touch(session.sessionId, now());
      if (session.status !== 'completing' || missingParts(session, parts).length === 0) return { session, parts };
      return finishOr(deps, 'reopen', session, (current) => refuse(deps, current));
    } catch (error) {
      if (!(error instanceof ObjectStoreError) || error.failure !== 'upload-missing') throw error;
      return finishOr(deps, 'heal', session, (current) => heal(deps, current));
    }
  }

  /**
   * Completes the session if its object is there; if not, does the `other` thing. Never beside a Complete of ours: its
   * object may be about to appear, and its upload must not be aborted now.
   */
  async function finishOr(
    deps: ServiceDeps,
    what: string,
    found: UploadSession,
    other: (session: UploadSession) => Promise<UploadSession>,
  ) {
    const session = await completions.run(found.sessionId, what, async () => {
      const current = await mustGet(deps, found.sessionId);
      if (current.status === 'completed' || current.generation !== found.generation) return current;
      if (current.status !== 'open' && current.status !== 'completing') throw notOpen(current);
      return (await finishIfStored(deps, current)) ?? other(current);
    });
    return {
      session,
      parts: session.status === 'completed' ? await recordedParts(session) : await listStoredParts(deps, session),
    };
  }

  function recordedParts({ sessionId, generation }: UploadSession) {
    return sessions.listParts(sessionId, generation);
  }
}

function partsView(session: UploadSession, parts: readonly StoredPart[]): wire.PartsResponse {
  const missing = session.status === 'completed' ? [] : missingParts(session, parts);
  const absent = new Set(partNumbersOf(missing));
  // A part of another size or without a checksum cannot be completed with: it is listed as missing, not as stored.
  const good = parts.filter((part) => !absent.has(part.partNumber) && part.partNumber <= session.plan.partCount);
  return {
    sessionId: session.sessionId,
    status: session.status,
    storedBytes: session.status === 'completed' ? session.size : good.reduce((sum, part) => sum + part.size, 0),
    parts: good.map((part) => ({ ...part })),
    missing,
    unproven: session.status === 'completed' ? [] : unprovenParts(session, parts).map((part) => ({ ...part })),
    generation: session.generation,
  };
}

function reportedPart(
  session: UploadSession,
  part: { partNumber: number; etag: string; checksum?: string | undefined },
): StoredPart {
  return { ...part, checksum: part.checksum ?? null, size: partLength(session.plan, session.size, part.partNumber) };
}

function checkPartNumbers(session: UploadSession, pointer: string, partNumbers: readonly number[]): void {
  const outside = partNumbers.filter((partNumber) => partNumber > session.plan.partCount);
  if (outside.length === 0) return;
  throw new UploadError('INVALID_REQUEST', `The session has ${session.plan.partCount} parts; there is no part ${outside[0]}.`, {
    facts: { errors: [{ pointer, message: `must be from 1 to ${session.plan.partCount}` }] },
  });
}

function objectNotFound({ status }: UploadSession, detail: string): UploadError {
  return new UploadError('OBJECT_NOT_FOUND', detail, {
    hint: `The session is ${status}.`,
    facts: { sessionStatus: status },
  });
}

function clientReplaced(session: UploadSession): UploadError {
  return new UploadError(
    'CLIENT_REPLACED',
    `Another client uploads the session ${session.sessionId} since this one reported last.`,
    {
      hint: 'Let the other one finish, or stop it and resume here. Nothing stored is lost.',
    },
  );
}
