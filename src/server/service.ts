import type * as wire from '../contract/wire.ts';
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
import { complete, isObjectOf, missingParts, unprovenParts } from './lifecycle/complete.ts';
import { create } from './lifecycle/create.ts';
import { end } from './lifecycle/end.ts';
import { presignParts } from './lifecycle/presign.ts';
import { type Reconciled, reconcile } from './lifecycle/reconcile.ts';
import { replanUpload } from './lifecycle/replan.ts';
import { compareWithRecord } from './lifecycle/stored-object.ts';
import { ensureOpen, notOpen, objectsOf } from './lifecycle/transitions.ts';

export interface ListQuery {
  readonly status?: Status | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** The operations of the control plane, in the wire's words. Each checks the caller's access, calls lifecycle/ and returns a view. */
export type UploadService = ReturnType<typeof createService>;

/** Sessions live at least a minute, so activity need not be recorded on every presign. */
const TOUCH_EVERY_MS = 10_000;

/** Called for events that the audit log does not get, for the metrics. */
export interface ServiceEvents {
  reported(parts: readonly StoredPart[]): void;
}
const NO_EVENTS: ServiceEvents = { reported() {} };

/**
 * Every method that needs a token takes the caller first, and checks its access before anything of a session is shown or done. Within a
 * request only `depsFor(caller)` is handed on, which has the caller's log and audit log; `serverDeps` is for what all requests share.
 */
export function createService(serverDeps: Omit<ServiceDeps, 'audit'>, audit: Audit, events: ServiceEvents = NO_EVENTS) {
  const { sessions, now, policy } = serverDeps;
  const completions = createSingleFlight<UploadSession>();
  const forgery = createForgeryGuard(serverDeps);
  const storeReport = createStoreReport(serverDeps, forgery);
  const readiness = createReadiness(serverDeps, forgery);
  const listings = createFreshFlight<Reconciled>();

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
      return { parts: await presignParts(deps, session, request) };
    },

    /**
     * Lists the parts that the store holds. With thousands of parts a listing takes the store seconds, so all waiting callers share one.
     * It is never older than the question: a client that lost the answer to a part asks here, and would otherwise send the part again.
     */
    async parts(caller: Caller, sessionId: string): Promise<wire.PartsResponse> {
      const deps = depsFor(caller);
      await mustChange(deps, caller, sessionId);
      const { session, parts } = await listings.run(sessionId, () => reconcile(deps, completions, sessionId));
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
      // Repeats share the answer of the running request. A request with other contents waits, and is then executed by itself.
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
      const deps = depsFor(caller);
      const session = await mustSee(deps, caller, sessionId);
      const head = await objectsOf(deps, session).headObject(session.key);
      const { bucket, key } = session;
      if (head === undefined) throw objectNotFound(session, `Bucket ${bucket} holds no object ${key}.`);
      const uploadedBySession = isObjectOf(session, head);
      // An uploader may name any key below its prefix, which must not let it look at the objects of others.
      if (!uploadedBySession && !hasScope(caller.grant, 'read')) {
        throw objectNotFound(session, `The object ${key} of bucket ${bucket} is not the one of this session.`);
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

    /** Returns the part count, by which app.ts limits the size of a list of stored parts. */
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

    /** Guards what concerns the whole server: only callers that may read everything pass. @throws UploadError `FORBIDDEN` */
    mustOversee({ grant }: Caller): void {
      mustHaveOneOf(grant, 'read');
      mustBeUnlimited(grant);
    },

    readiness,
  };

  /** Binds audit log and log to the caller: audit lines name its token and address, and log lines its request. */
  function depsFor({ grant, address, requestId }: Caller): ServiceDeps {
    const who = { token: grant.owner, tokenId: grant.tokenId, address, requestId };
    const log = logOfRequest(serverDeps.log, requestId);
    return {
      ...serverDeps,
      log,
      audit: (event, session, more) => audit.record({ event, ...who, ...subjectOf(session), ...more }),
    };
  }
}

function partsView(session: UploadSession, parts: readonly StoredPart[]): wire.PartsResponse {
  const missing = session.status === 'completed' ? [] : missingParts(session, parts);
  const absent = new Set(partNumbersOf(missing));
  // A part of another size or without a checksum cannot be completed with, so it is listed as missing and not as stored.
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
    `Another client has started to upload the session ${session.sessionId} since this one last reported.`,
    {
      hint: 'Let the other client finish, or stop it and resume here. Stored parts are not lost.',
    },
  );
}
