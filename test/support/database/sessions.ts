import { NO_LIMITS } from '../../../src/session/access.ts';
import type { Status } from '../../../src/session/machine.ts';
import { MiB, planParts } from '../../../src/session/part-plan.ts';
import type { Instant, StoredPart, UploadSession } from '../../../src/session/session.ts';
import type { ClientReport } from '../../../src/session-store/port/parts.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import type { Expected, NewSession } from '../../../src/session-store/port/sessions.ts';
import type { Token } from '../../../src/session-store/port/tokens.ts';

/** The default time of everything that the builders record. */
export const NOON: Instant = Date.UTC(2026, 10, 23, 12);

let made = 0;

/** Returns a name that is unique in this process, so that tests do not depend on each other's rows. */
export function aUniqueName(prefix: string): string {
  made += 1;
  return `${prefix}-${made.toString().padStart(6, '0')}`;
}

export function aNewSession(overrides: Partial<NewSession> = {}): NewSession {
  const size = overrides.size ?? 100 * MiB;
  return {
    sessionId: aUniqueName('session'),
    owner: 'alice',
    bucket: 'uploads',
    key: 'video.mp4',
    fileName: 'video.mp4',
    size,
    contentType: 'video/mp4',
    contentDisposition: null,
    tags: {},
    metadata: {},
    overwrite: false,
    fingerprint: null,
    createdAt: NOON,
    ...overrides,
    keyRequest: overrides.keyRequest ?? overrides.key ?? 'video.mp4',
    plan: overrides.plan ?? planParts(size, 'multipart'),
  };
}

export function aStoredPart(partNumber: number, overrides: Partial<StoredPart> = {}): StoredPart {
  return { partNumber, etag: `"etag-${partNumber}"`, checksum: 'AAAAAA==', size: 10 * MiB, ...overrides };
}

export function storedParts(first: number, last: number, overrides: Partial<StoredPart> = {}): StoredPart[] {
  return Array.from({ length: last - first + 1 }, (_, index) => aStoredPart(first + index, overrides));
}

export function aReport(sessionId: string, overrides: Partial<ClientReport> = {}): ClientReport {
  return {
    sessionId,
    generation: 1,
    clientId: 'client-1',
    parts: [],
    inFlightBytes: 0,
    bytesPerSecond: 0,
    at: NOON + 1_000,
    ...overrides,
  };
}

export function aToken(overrides: Partial<Token> = {}): Token {
  return {
    tokenId: aUniqueName('token'),
    name: 'laptop',
    hash: aUniqueName('hash'),
    scopes: ['upload'],
    limits: NO_LIMITS,
    createdAt: NOON,
    expiresAt: null,
    revokedAt: null,
    ...overrides,
  };
}

export async function insertSession(store: SessionStore, overrides: Partial<NewSession> = {}): Promise<NewSession> {
  const session = aNewSession(overrides);
  if ((await store.insert(session)).outcome !== 'inserted') throw new Error('the session was not inserted');
  return session;
}

/** Inserts a session and takes it to `open`; its upload is `upload-1 of <sessionId>`. */
export async function insertOpenSession(store: SessionStore, overrides: Partial<NewSession> = {}): Promise<NewSession> {
  const session = await insertSession(store, overrides);
  await openGeneration(store, session.sessionId, 1);
  return session;
}

/** Takes a session from `open` to the `open` of its next generation. */
export async function healSession(store: SessionStore, sessionId: string, from = 1): Promise<void> {
  if (!(await store.startGeneration(expected(sessionId, 'open', from), NOON + 10))) throw new Error('no generation was started');
  await openGeneration(store, sessionId, from + 1);
}

async function openGeneration(store: SessionStore, sessionId: string, generation: number): Promise<void> {
  const upload = { uploadId: uploadIdOf(sessionId, generation), initiatedAt: NOON + 5 };
  const opened = await store.openUpload(expected(sessionId, 'creating', generation), upload, NOON + 6);
  if (!opened) throw new Error('the session was not opened');
}

export function uploadIdOf(sessionId: string, generation: number): string {
  return `upload-${generation} of ${sessionId}`;
}

export function expected(sessionId: string, status: Expected['status'], generation = 1): Expected {
  return { sessionId, status, generation };
}

export async function mustGet(store: SessionStore, sessionId: string): Promise<UploadSession> {
  const session = await store.get(sessionId);
  if (session === undefined) throw new Error(`no session ${sessionId}`);
  return session;
}

/** Inserts a session and takes it to the status with the same writes that a server makes. */
export async function insertInStatus(store: SessionStore, status: Status, overrides: Partial<NewSession> = {}): Promise<string> {
  const { sessionId } = await insertSession(store, overrides);
  const move = (from: Status, to: Status) =>
    store.changeStatus(expected(sessionId, from), { to, at: NOON + 20, endsAs: 'aborted', etag: '"e"' });
  if (status === 'creating') return sessionId;
  await store.openUpload(expected(sessionId, 'creating'), { uploadId: uploadIdOf(sessionId, 1), initiatedAt: NOON }, NOON);
  if (status !== 'open') await move('open', status);
  return sessionId;
}
