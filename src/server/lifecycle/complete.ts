import type { CompleteRequest } from '../../contract/wire.ts';
import { type ObjectHead, ObjectStoreError, SESSION_METADATA } from '../../object-store/port.ts';
import { checksumOfParts } from '../../session/checksum.ts';
import { UploadError } from '../../session/errors.ts';
import { partLength } from '../../session/part-plan.ts';
import { missingRanges, rangesOf } from '../../session/part-ranges.ts';
import type { StoredPart, UploadSession } from '../../session/session.ts';
import type { ServiceDeps } from '../core/deps.ts';
import { apply, ensureOpen, expected, heal, mustGet, notOpen, objectsOf } from './transitions.ts';

/**
 * Completes a session. Every page of the store's list is compared with the plan and with the parts and checksum that the client expects
 * (write order 3) before `completing` is stored, and `completing` is stored before the store is asked to complete (2). The checksum is
 * stored with it, so that the next request or the sweeper can go on without the client, but only to an object with these contents.
 * `completed` is stored after the object was seen at the store (4). A lost answer leaves `completing`, which the next caller settles here.
 */
export async function complete(deps: ServiceDeps, sessionId: string, request: CompleteRequest): Promise<UploadSession> {
  const session = await mustGet(deps, sessionId);
  const completed = await completeFrom(deps, session, request);
  checkExpectedChecksum(completed.checksum, request);
  if (request.parts !== undefined)
    checkExpectedParts(completed, await deps.sessions.listParts(sessionId, completed.generation), request.parts);
  return completed;
}

async function completeFrom(deps: ServiceDeps, session: UploadSession, request: CompleteRequest): Promise<UploadSession> {
  if (session.status === 'completed') return session;
  if (session.status === 'completing') return settle(deps, session, request);
  // `creating` after a lost answer or a crash is opened as everywhere else. All parts are then missing, and the client can send them.
  return attempt(deps, await ensureOpen(deps, session), request);
}

/** Settles a session that was found `completing`: its object may be there already, whole. */
export async function settle(deps: ServiceDeps, session: UploadSession, request: CompleteRequest = {}): Promise<UploadSession> {
  // A client that expects other contents is refused, and does not stop the completion.
  if (session.checksum !== null) checkExpectedChecksum(session.checksum, request);
  return (await finishIfStored(deps, session)) ?? attempt(deps, session, request);
}

async function attempt(deps: ServiceDeps, found: UploadSession, request: CompleteRequest): Promise<UploadSession> {
  let session = found;
  try {
    const listed = await listStoredParts(deps, session);
    const parts = plannedParts(session, listed, request);
    const checksum = objectChecksum(session, parts);
    checkExpectedChecksum(checksum, request);
    if (session.status === 'open') session = await apply(deps, session, 'complete-requested', { checksum });
    if (session.checksum !== null && session.checksum !== checksum) throw partsReplaced(session, checksum);
    return await completeAtStore(deps, session, parts, checksum);
  } catch (error) {
    return recover(deps, session, error);
  }
}

async function completeAtStore(
  deps: ServiceDeps,
  session: UploadSession,
  parts: readonly StoredPart[],
  checksum: string,
): Promise<UploadSession> {
  await objectsOf(deps, session).completeMultipartUpload({
    key: session.key,
    uploadId: uploadIdOf(session),
    parts,
    checksum,
    onlyIfAbsent: !session.overwrite,
  });
  const completed = await finishIfStored(deps, session);
  // Another program replaced or deleted the object between two requests: the one at the key is not this session's, and the parts are gone.
  if (completed === undefined)
    throw new ObjectStoreError('upload-missing', 'the object was replaced right after it was completed');
  return completed;
}

/** Opens the session again after a definite refusal. If it was not `completing` yet, it simply stays open. */
export function refuse(deps: ServiceDeps, session: UploadSession): Promise<UploadSession> {
  return session.status === 'completing' ? apply(deps, session, 'complete-refused') : Promise.resolve(session);
}

/** Cleans up after a failed attempt: leaves the status as it is where the outcome is unknown, otherwise stores a definite one and throws a clear error. */
async function recover(deps: ServiceDeps, session: UploadSession, error: unknown): Promise<UploadSession> {
  if (!(error instanceof ObjectStoreError)) {
    if (error instanceof UploadError) await refuse(deps, session);
    throw error;
  }
  switch (error.failure) {
    case 'unavailable':
      throw error;
    case 'object-exists': {
      const completed = await finishIfStored(deps, session);
      if (completed !== undefined) return completed;
      await refuse(deps, session);
      throw objectExists(session);
    }
    case 'upload-missing': {
      const completed = await finishIfStored(deps, session);
      if (completed !== undefined) return completed;
      await heal(deps, session);
      throw partsLost(session);
    }
    case 'part-invalid':
      await refuse(deps, session);
      throw await missingAfterRefusal(deps, session, error);
    case 'checksum-mismatch':
      await refuse(deps, session);
      throw new UploadError('CHECKSUM_MISMATCH', 'The object store computed another checksum than its own parts add up to.', {
        cause: error,
      });
    case 'full':
    case 'refused':
    case 'bucket-missing':
      await refuse(deps, session);
      throw error;
  }
}

/** Completes the session if its object is at the key, which is recognised by the session id in its metadata, its size and, where known, its checksum. */
export async function finishIfStored(deps: ServiceDeps, session: UploadSession): Promise<UploadSession | undefined> {
  const head = await objectsOf(deps, session).headObject(session.key);
  if (head === undefined || !isObjectOf(session, head)) return undefined;
  const parts = await deps.sessions.listParts(session.sessionId, session.generation);
  const checksum = knownChecksum(session, parts) ?? head.checksum;
  if (checksum === null || head.checksum !== checksum) return undefined;

  const change = { to: 'completed', at: deps.now(), etag: head.etag, checksum } as const;
  const changed = await deps.sessions.changeStatus(expected(session), change);
  const current = await mustGet(deps, session.sessionId);
  if (!changed && current.status !== 'completed') throw notOpen(current);
  if (changed) deps.audit('completed', current);
  return current;
}

/** Returns the checksum that the object of this session must have, as far as the records say. */
function knownChecksum(session: UploadSession, parts: readonly StoredPart[]): string | undefined {
  if (session.status === 'completing' && session.checksum !== null) return session.checksum;
  return missingParts(session, parts).length === 0 ? objectChecksum(session, parts) : undefined;
}

export function isObjectOf(session: UploadSession, head: ObjectHead): boolean {
  return head.metadata[SESSION_METADATA] === session.sessionId && head.size === session.size;
}

/** Lists the parts that the store holds, and makes the record the same. */
export async function listStoredParts(deps: ServiceDeps, session: UploadSession): Promise<StoredPart[]> {
  const askedAt = deps.now();
  const parts = await objectsOf(deps, session).listParts(session.key, uploadIdOf(session));
  await deps.sessions.replaceParts(session.sessionId, session.generation, parts, askedAt);
  return parts;
}

function uploadIdOf(session: UploadSession): string {
  if (session.uploadId === null) throw notOpen(session);
  return session.uploadId;
}

/** Returns the part numbers of the plan that are not stored with the right size and a checksum. */
export function missingParts(session: UploadSession, parts: readonly StoredPart[]) {
  return missingRanges(
    session.plan.partCount,
    parts.filter((part) => isAsPlanned(session, part)).map((part) => part.partNumber),
  );
}

/** Returns the stored parts of the plan that cannot be completed with: of another size, or without a checksum. */
export function unprovenParts(session: UploadSession, parts: readonly StoredPart[]): StoredPart[] {
  return parts.filter((part) => part.partNumber <= session.plan.partCount && !isAsPlanned(session, part));
}

function isAsPlanned({ plan, size }: UploadSession, part: StoredPart): boolean {
  return part.partNumber <= plan.partCount && part.checksum !== null && part.size === partLength(plan, size, part.partNumber);
}

/** Returns all parts of the plan as the store lists them. @throws UploadError `PARTS_MISSING`, also where a part is not the one that the client expects. */
function plannedParts(session: UploadSession, parts: readonly StoredPart[], request: CompleteRequest): StoredPart[] {
  const expectedEtags = new Map(request.parts?.map((part) => [part.partNumber, part.etag]));
  const good = parts.filter((part) => {
    const etag = expectedEtags.get(part.partNumber);
    return isAsPlanned(session, part) && (etag === undefined || unquoted(etag) === unquoted(part.etag));
  });
  const missing = missingRanges(
    session.plan.partCount,
    good.map((part) => part.partNumber),
  );
  if (missing.length > 0) throw partsMissing(session, missing, parts);
  return good;
}

/** Strips an ETag's quotes for comparison, because some clients do. It is stored and sent as the store wrote it. */
function unquoted(etag: string): string {
  return etag.replace(/^"|"$/g, '');
}

/** Combines the CRC32 of the parts of the plan. A stray part beyond the plan does not belong to the object. */
function objectChecksum(session: UploadSession, parts: readonly StoredPart[]): string {
  return checksumOfParts(parts.filter((part) => isAsPlanned(session, part)));
}

function checkExpectedChecksum(stored: string | null, request: CompleteRequest): void {
  if (request.checksum === undefined || request.checksum === stored) return;
  throw new UploadError(
    'CHECKSUM_MISMATCH',
    `The stored bytes have the CRC32 ${stored}, and the client's file has ${request.checksum}: they are different contents.`,
    { hint: 'The file changed after it was uploaded, or this is another file.' },
  );
}

/** Checks that the object of a completed session was made of the parts that the client expects. */
function checkExpectedParts(
  { sessionId }: UploadSession,
  parts: readonly StoredPart[],
  expectedParts: NonNullable<CompleteRequest['parts']>,
): void {
  const etags = new Map(parts.map((part) => [part.partNumber, part.etag]));
  const other = expectedParts.find(({ partNumber, etag }) => unquoted(etags.get(partNumber) ?? etag) !== unquoted(etag));
  if (other === undefined) return;
  throw new UploadError(
    'CHECKSUM_MISMATCH',
    `The session is completed with another part ${other.partNumber} than the one with the ETag ${other.etag}.`,
    { hint: `Another client completed it with its parts. Compare the object with your file: partway verify ${sessionId}` },
  );
}

/** Parts can be replaced as long as their URLs live, also while the session is `completing`. */
function partsReplaced(session: UploadSession, checksum: string): UploadError {
  return new UploadError(
    'CHECKSUM_MISMATCH',
    `The stored parts add up to the CRC32 ${checksum} now; they had ${session.checksum} when completion was asked for.`,
    { hint: `Parts were replaced meanwhile. Check them against the file: partway resume ${session.sessionId}` },
  );
}

function partsMissing(
  session: UploadSession,
  missing: ReturnType<typeof missingRanges>,
  parts: readonly StoredPart[],
): UploadError {
  const unproven = rangesOf(unprovenParts(session, parts).map((part) => part.partNumber));
  const count = missing.reduce((sum, range) => sum + range.last - range.first + 1, 0);
  return new UploadError('PARTS_MISSING', `${count} of ${session.plan.partCount} parts are not stored as planned.`, {
    facts: { missing, ...(unproven.length > 0 && { unproven }) },
  });
}

async function missingAfterRefusal(deps: ServiceDeps, session: UploadSession, cause: ObjectStoreError): Promise<unknown> {
  const parts = await listStoredParts(deps, session);
  const missing = missingParts(session, parts);
  // A part was replaced while the store completed. The list is whole again, so the client only has to ask once more.
  return missing.length > 0
    ? partsMissing(session, missing, parts)
    : new UploadError('SESSION_BUSY', 'A part changed while the object was being completed.', {
        cause,
        facts: { retryAfterSeconds: 1 },
      });
}

export function objectExists(session: Pick<UploadSession, 'bucket' | 'key'>): UploadError {
  return new UploadError('OBJECT_EXISTS', `An object ${session.key} exists already in bucket ${session.bucket}.`, {
    hint: 'Choose another key with --key, or replace it with --overwrite.',
  });
}

function partsLost(session: UploadSession): UploadError {
  return new UploadError('PARTS_LOST', `The object store lost the ${session.storedBytes} stored bytes of ${session.sessionId}.`, {
    hint: `The session is open again under the same id: partway resume ${session.sessionId}`,
    facts: { lostBytes: session.storedBytes },
  });
}
