import { createHash } from 'node:crypto';
import type { CreateRequest } from '../../contract/wire.ts';
import { ObjectStoreError } from '../../object-store/port.ts';
import { checkNewObject, type Grant } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import { type ChosenKey, keyFromTemplate } from '../../session/key-template.ts';
import { checkObjectKey } from '../../session/object-key.ts';
import { type PartPlan, planParts } from '../../session/part-plan.ts';
import type { UploadSession } from '../../session/session.ts';
import { chooseStrategy } from '../../session/strategy.ts';
import type { IdempotencyRecord, NewSession } from '../../session-store/port/sessions.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { attributesDiffer, differingAttributes } from './asked-attributes.ts';
import { isObjectOf, listStoredParts, objectExists } from './complete.ts';
import { contentDispositionHeader } from './content-disposition.ts';
import { end } from './end.ts';
import { compareWithRecord } from './stored-object.ts';
import { mustGet, openUpload, replan } from './transitions.ts';

export interface Created {
  readonly session: UploadSession;
  /** False where the session existed before this request. */
  readonly created: boolean;
}

/** A request, and everything that is decided about it before anything is looked up. */
interface Wanted {
  readonly grant: Grant;
  readonly request: CreateRequest;
  readonly sessionId: string;
  readonly chosen: ChosenKey;
  readonly plan: PartPlan;
  readonly idempotency: IdempotencyRecord | undefined;
}

/**
 * Creates a session, or finds the session of this request (by its Idempotency-Key) or of this file (by its fingerprint).
 * An object that may not be overwritten is noticed here, before any byte is sent. An Idempotency-Key remembers its session, whether
 * found or made. A refusal is not remembered, so that a repeat succeeds once its cause is fixed.
 */
export async function create(deps: ServiceDeps, grant: Grant, request: CreateRequest, idempotencyKey?: string): Promise<Created> {
  const sessionId = deps.newSessionId();
  const wanted: Wanted = {
    grant,
    request,
    sessionId,
    chosen: chooseKey(deps, grant, request, sessionId),
    plan: planFor(request),
    idempotency: idempotencyKey === undefined ? undefined : { key: idempotencyKey, requestHash: hashOf(request) },
  };
  checkAllowed(deps, wanted);
  return (await findExisting(deps, wanted)) ?? (await insertNew(deps, wanted)) ?? create(deps, grant, request, idempotencyKey);
}

/** Takes the key that the client names, or makes one from the template, below the prefix of the token or of the server. */
function chooseKey(deps: ServiceDeps, { owner, limits }: Grant, request: CreateRequest, sessionId: string): ChosenKey {
  const { fileName, key } = request;
  const prefix = limits.keyPrefix === '' ? deps.objects.keyPrefix : limits.keyPrefix;
  const template = request.keyTemplate ?? deps.policy.keyTemplate;
  const chosen =
    key === undefined
      ? keyFromTemplate(template, prefix, { at: deps.now(), sessionId, fileName, owner })
      : { key, keyRequest: key };
  checkObjectKey(chosen.key);
  return chosen;
}

function checkAllowed(deps: ServiceDeps, { grant, request, chosen }: Wanted): void {
  const object = { bucket: deps.objects.bucket, key: chosen.key, size: request.size, contentType: request.contentType ?? null };
  const { keyPrefix } = deps.objects;
  if (!chosen.key.startsWith(keyPrefix)) throw outsideOfServer(keyPrefix);
  checkNewObject(grant.limits, object);
}

async function findExisting(deps: ServiceDeps, wanted: Wanted): Promise<Created | undefined> {
  const { grant, idempotency } = wanted;
  const repeated = idempotency && (await findRepeated(deps, grant.owner, idempotency));
  if (repeated) return { session: await opened(deps, mayGoOn(grant, repeated)), created: false };
  const existing = await findSameFile(deps, wanted);
  if (existing === undefined) return undefined;
  const isKeyTaken =
    idempotency && !(await deps.sessions.reserveIdempotencyKey(grant.owner, idempotency, existing.sessionId, deps.now()));
  // Another request used the same Idempotency-Key a moment ago: its session is found now.
  return isKeyTaken ? findExisting(deps, wanted) : { session: existing, created: false };
}

/** Checks the limits again, because a token of the same name with other limits may have begun the session. */
function mayGoOn(grant: Grant, session: UploadSession): UploadSession {
  checkNewObject(grant.limits, session);
  return session;
}

/** Inserts a new session. Undefined where another request with the same Idempotency-Key or file was faster: the caller then finds its session. */
async function insertNew(deps: ServiceDeps, wanted: Wanted): Promise<Created | undefined> {
  const { grant, request, idempotency } = wanted;
  const { key } = wanted.chosen;
  // Made before the store is asked: `insert` compares its time with sessions that complete between the question and the insert.
  const session = newSession(deps, wanted);
  if (request.overwrite !== true && (await deps.objects.headObject(key)) !== undefined) {
    throw objectExists({ bucket: deps.objects.bucket, key });
  }
  const hidden = await deps.objects.findKeyConflict(key);
  if (hidden !== undefined) throw keyConflict(grant, key, hidden);

  const inserted = await deps.sessions.insert(session, idempotency, grant.limits);
  switch (inserted.outcome) {
    case 'taken':
      return undefined;
    case 'key-conflict':
      throw keyConflict(grant, key, inserted.conflictingKey);
    case 'quota-exceeded':
    case 'too-many-sessions':
      throw await limitReached(deps, grant, inserted.outcome, request.size);
    case 'inserted': {
      const recorded = await mustGet(deps, session.sessionId);
      deps.audit('created', recorded);
      return { session: await openFirst(deps, recorded, idempotency?.key), created: true };
    }
  }
}

function planFor(request: CreateRequest): PartPlan {
  const strategy = request.strategy ?? (request.partSize === undefined ? chooseStrategy(request.size, 'reliable') : 'multipart');
  return planParts(request.size, strategy, request.partSize, request.bytesPerSecond);
}

function newSession(deps: ServiceDeps, { grant, request, sessionId, chosen, plan }: Wanted): NewSession {
  const { fileName, size, contentDisposition: disposition } = request;
  return {
    sessionId,
    owner: grant.owner,
    bucket: deps.objects.bucket,
    ...chosen,
    fileName,
    size,
    contentType: request.contentType ?? null,
    contentDisposition: disposition === undefined ? null : contentDispositionHeader(disposition, fileName),
    tags: request.tags ?? {},
    metadata: request.metadata ?? {},
    overwrite: request.overwrite ?? false,
    fingerprint: request.fingerprint ?? null,
    plan,
    createdAt: deps.now(),
  };
}

function hashOf(request: CreateRequest): string {
  const sorted = Object.entries(request).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex');
}

async function findRepeated(deps: ServiceDeps, owner: string, idempotency: IdempotencyRecord) {
  const found = await deps.sessions.findByIdempotencyKey(owner, idempotency.key);
  if (found === undefined) return undefined;
  if (found.requestHash === idempotency.requestHash) return mustGet(deps, found.sessionId);
  throw new UploadError(
    'IDEMPOTENCY_KEY_REUSED',
    `The Idempotency-Key was used for another request (session ${found.sessionId}).`,
  );
}

async function findSameFile(deps: ServiceDeps, { grant, request, chosen }: Wanted): Promise<UploadSession | undefined> {
  if (request.fingerprint === undefined) return undefined;
  const { keyRequest } = chosen;
  const { size, fingerprint } = request;
  const query = { owner: grant.owner, bucket: deps.objects.bucket, keyRequest, size, fingerprint };
  const running = await deps.sessions.findByFingerprint(query, ['creating', 'open', 'completing']);
  if (running !== undefined) return adopt(deps, mayGoOn(grant, running), request);
  if (request.overwrite === true) return undefined;
  const completed = await deps.sessions.findByFingerprint(query, ['completed']);
  if (completed === undefined) return undefined;
  // Only while the object is still there, belongs to this session and was not written again. The client proves that its file is the same.
  const head = await deps.objects.headObject(completed.key);
  if (head === undefined || !isObjectOf(completed, head) || compareWithRecord(completed, head)?.rewritten) return undefined;
  const asked = differingAttributes(completed, request);
  if (Object.keys(asked).length > 0) throw attributesDiffer(completed, asked);
  return completed;
}

/** Lets the request go on with the file's own session, changed as the request asks where that is still possible. A refused request changes nothing. */
async function adopt(deps: ServiceDeps, running: UploadSession, request: CreateRequest): Promise<UploadSession> {
  await deps.sessions.touch(running.sessionId, deps.now());
  const session = await asAsked(deps, await opened(deps, await mustGet(deps, running.sessionId)), request);
  if (request.overwrite === undefined || request.overwrite === session.overwrite) return session;
  await deps.sessions.setOverwrite(session.sessionId, request.overwrite);
  return mustGet(deps, session.sessionId);
}

/** Takes over the plan and attributes of the request while no part is stored. After that, both stay as they are. */
async function asAsked(deps: ServiceDeps, session: UploadSession, request: CreateRequest): Promise<UploadSession> {
  const isOpen = session.status === 'open';
  const plan = isOpen && asksForAnotherPlan(session.plan, request) ? planFor(request) : undefined;
  const attributes = differingAttributes(session, request);
  const asksForOthers = Object.keys(attributes).length > 0;
  if (plan === undefined && !asksForOthers) return session;
  const stored = isOpen ? await listStoredParts(deps, session) : undefined;
  if (stored?.length === 0) return replan(deps, session, plan, attributes);
  throw asksForOthers ? attributesDiffer(session, attributes) : planDiffers(session, stored?.length ?? 0);
}

function planDiffers(session: UploadSession, storedParts: number): UploadError {
  return new UploadError(
    'SESSION_PLAN_DIFFERS',
    `This file has an open session ${session.sessionId} with strategy "${session.plan.strategy}", parts of ${session.plan.partSize} bytes, and ${storedParts} stored parts.`,
    {
      hint: `Leave out --strategy and --part-size to continue it, or drop it: partway abort ${session.sessionId}`,
      facts: { sessionId: session.sessionId },
    },
  );
}

function asksForAnotherPlan(plan: PartPlan, request: CreateRequest): boolean {
  if (request.strategy !== undefined && request.strategy !== plan.strategy) return true;
  if (request.partSize === undefined) return false;
  // Parts at least as large as the file mean a single part, whatever size was asked for.
  return plan.strategy === 'single' ? request.partSize < request.size : request.partSize !== plan.partSize;
}

/** Opens a session that a crash left `creating`, for the client that asks for it. */
function opened(deps: ServiceDeps, session: UploadSession): Promise<UploadSession> {
  return session.status === 'creating' ? openUpload(deps, session, false) : Promise.resolve(session);
}

async function openFirst(deps: ServiceDeps, session: UploadSession, idempotencyKey?: string): Promise<UploadSession> {
  try {
    return await openUpload(deps, session, true);
  } catch (error) {
    // No answer: the session stays `creating`, and the client's repeat or the sweeper opens it.
    // A definite refusal (no such bucket, no permission, no space) ends it, because no client knows its id.
    if (error instanceof ObjectStoreError && error.failure !== 'unavailable') {
      if (idempotencyKey !== undefined) await deps.sessions.releaseIdempotencyKey(session.owner, idempotencyKey);
      await end(deps, session, 'aborted');
    }
    throw error;
  }
}

function outsideOfServer(keyPrefix: string): UploadError {
  return new UploadError('KEY_NOT_ALLOWED', `This server writes only keys that start with "${keyPrefix}".`, {
    facts: { keyPrefix },
  });
}

/** Names the other key only where the caller might have written it. */
function keyConflict({ limits }: Grant, key: string, conflictingKey: string): UploadError {
  const named = conflictingKey.startsWith(limits.keyPrefix);
  return new UploadError(
    'KEY_CONFLICT',
    `The key ${key} cannot be used beside ${named ? conflictingKey : 'another key'}: one of the two objects would no longer be listed.`,
    named ? { facts: { conflictingKey } } : {},
  );
}

async function limitReached(
  { sessions }: ServiceDeps,
  { owner, limits }: Grant,
  limit: 'quota-exceeded' | 'too-many-sessions',
  size: number,
): Promise<UploadError> {
  const { openSessions, reservedBytes, settledBytes } = await sessions.usageOf(owner);
  if (limit === 'too-many-sessions') {
    const { maxOpenSessions } = limits;
    return new UploadError(
      'TOO_MANY_SESSIONS',
      `"${owner}" has ${openSessions} unfinished sessions and may have ${maxOpenSessions}.`,
      {
        facts: { openSessions, maxOpenSessions },
      },
    );
  }
  const { quotaBytes } = limits;
  return new UploadError(
    'QUOTA_EXCEEDED',
    `The file has ${size} bytes, and of the ${quotaBytes} bytes of "${owner}", ${settledBytes} are used and ${reservedBytes} reserved.`,
    { facts: { quotaBytes, reservedBytes, settledBytes } },
  );
}
