import { type ObjectStore, SESSION_METADATA } from '../../object-store/port.ts';
import { UploadError } from '../../session/errors.ts';
import { nextStatus, type SessionEvent, type Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { UploadSession } from '../../session/session.ts';
import type { Expected, ObjectAttributes, StatusChange } from '../../session-store/port/sessions.ts';
import type { ServiceDeps } from '../core/deps.ts';

/* Changes of a session's status and of its generation of multipart upload, each decided by the transition table. */

export function expected(session: UploadSession): Expected {
  return { sessionId: session.sessionId, status: session.status, generation: session.generation };
}

export async function mustGet(deps: Pick<ServiceDeps, 'sessions'>, sessionId: string): Promise<UploadSession> {
  const session = await deps.sessions.get(sessionId);
  if (session !== undefined) return session;
  throw sessionNotFound(sessionId);
}

export function sessionNotFound(sessionId: string): UploadError {
  return new UploadError('SESSION_NOT_FOUND', `There is no upload session ${sessionId}.`, {
    hint: 'Check the id; `partway list` shows the sessions of this server.',
  });
}

export function notOpen(session: UploadSession): UploadError {
  return new UploadError('SESSION_NOT_OPEN', `The session ${session.sessionId} is ${session.status}.`, {
    facts: { sessionStatus: session.status },
  });
}

/** Returns the object store. @throws UploadError `STORE_REFUSED` where it is not the store of this session: PARTWAY_S3_BUCKET was changed. */
export function objectsOf(
  deps: Pick<ServiceDeps, 'objects'>,
  { sessionId, bucket }: Pick<UploadSession, 'sessionId' | 'bucket'>,
): ObjectStore {
  if (bucket === deps.objects.bucket) return deps.objects;
  throw new UploadError(
    'STORE_REFUSED',
    `The session ${sessionId} is in bucket ${bucket}, but this server now uses ${deps.objects.bucket}.`,
    {
      hint: 'Set PARTWAY_S3_BUCKET back to finish or abort what is in the old bucket.',
    },
  );
}

function statusAfter(session: UploadSession, event: SessionEvent): Status {
  const to = nextStatus(session.status, event);
  if (to === undefined) throw notOpen(session);
  return to;
}

/** Applies an event by compare-and-set. @throws UploadError `SESSION_NOT_OPEN`, or `SESSION_BUSY` for a lost race. */
export async function apply(
  deps: ServiceDeps,
  session: UploadSession,
  event: SessionEvent,
  fields: Omit<StatusChange, 'to' | 'at'> = {},
): Promise<UploadSession> {
  const to = statusAfter(session, event);
  if (!(await deps.sessions.changeStatus(expected(session), { to, at: deps.now(), ...fields }))) throw busy(session);
  return mustGet(deps, session.sessionId);
}

export function busy(session: UploadSession): UploadError {
  return new UploadError('SESSION_BUSY', `The session ${session.sessionId} was just changed by another request.`, {
    facts: { retryAfterSeconds: 1 },
  });
}

/**
 * Goes from `creating` to `open` by making the multipart upload of the current generation. The row exists before the call (write order 1).
 * `firstTry` is false where an earlier call may have made an upload and died before recording it: the key is then noted for the sweeper first.
 */
export async function openUpload(deps: ServiceDeps, session: UploadSession, firstTry: boolean): Promise<UploadSession> {
  if (!firstTry) await deps.sessions.suspectOrphan(session.sessionId, deps.now());
  const upload = await objectsOf(deps, session).createMultipartUpload({
    key: session.key,
    contentType: session.contentType,
    contentDisposition: session.contentDisposition,
    metadata: { ...session.metadata, [SESSION_METADATA]: session.sessionId },
    tags: session.tags,
  });
  if (!(await deps.sessions.openUpload(expected(session), upload, deps.now()))) {
    // Another request opened or ended the session meanwhile, so this upload will never be used.
    await objectsOf(deps, session).abortMultipartUpload(session.key, upload.uploadId);
  }
  return mustGet(deps, session.sessionId);
}

/** Returns the session open. If a crash left it `creating`, opens it first. */
export async function ensureOpen(deps: ServiceDeps, session: UploadSession): Promise<UploadSession> {
  const current = session.status === 'creating' ? await openUpload(deps, session, false) : session;
  if (current.status !== 'open') throw notOpen(current);
  return current;
}

/** Starts the next generation, under the same session id, after the store lost the multipart upload. */
export async function heal(deps: ServiceDeps, session: UploadSession): Promise<UploadSession> {
  deps.log.warn({ sessionId: session.sessionId, lostBytes: session.storedBytes }, 'the object store lost the parts of a session');
  return nextGeneration(deps, session, 'upload-lost');
}

/** Starts the next generation with another plan or other attributes. Only for sessions without a stored part. */
export function replan(
  deps: ServiceDeps,
  session: UploadSession,
  plan: PartPlan | undefined,
  attributes: Partial<ObjectAttributes>,
): Promise<UploadSession> {
  return nextGeneration(deps, session, 'plan-changed', plan, attributes);
}

async function nextGeneration(
  deps: ServiceDeps,
  session: UploadSession,
  event: SessionEvent,
  plan?: PartPlan,
  attributes?: Partial<ObjectAttributes>,
): Promise<UploadSession> {
  statusAfter(session, event);
  if (!(await deps.sessions.startGeneration(expected(session), deps.now(), plan, attributes))) throw busy(session);
  const opened = await openUpload(deps, await mustGet(deps, session.sessionId), true);
  await releaseUpload(deps, session);
  return opened;
}

/** Aborts a multipart upload at the store. It stays recorded as a leftover, which the sweeper aborts once more. */
export async function releaseUpload(
  deps: ServiceDeps,
  upload: Pick<UploadSession, 'sessionId' | 'bucket' | 'key' | 'uploadId'>,
): Promise<void> {
  if (upload.uploadId !== null) await objectsOf(deps, upload).abortMultipartUpload(upload.key, upload.uploadId);
}
