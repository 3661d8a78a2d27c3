import { expect, it } from 'vitest';
import { STATUSES, type Status } from '../../src/session/machine.ts';
import { GiB, MiB, planParts, S3_LIMITS } from '../../src/session/part-plan.ts';
import type { Instant } from '../../src/session/session.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import type { FingerprintQuery, NewSession, SessionQuery } from '../../src/session-store/port/sessions.ts';
import {
  aNewSession,
  aReport,
  aStoredPart,
  expected,
  healSession,
  insertInStatus,
  insertOpenSession,
  insertSession,
  mustGet,
  NOON,
  storedParts,
} from '../support/database/sessions.ts';

function ids(sessions: readonly { sessionId: string }[]): string[] {
  return sessions.map((session) => session.sessionId);
}

export function describeInsert(current: () => SessionStore): void {
  it('inserts a session in `creating`, generation 1, with everything else empty', async () => {
    const session = aNewSession({ metadata: { camera: 'A7' }, fingerprint: 'v1:abc', overwrite: true });

    expect(await current().insert(session)).toStrictEqual({ outcome: 'inserted' });

    expect(await current().get(session.sessionId)).toStrictEqual({
      ...session,
      status: 'creating',
      endsAs: null,
      generation: 1,
      uploadId: null,
      uploadInitiatedAt: null,
      etag: null,
      checksum: null,
      updatedAt: session.createdAt,
      lastActivityAt: session.createdAt,
      storedBytes: 0,
      partsStored: 0,
      inFlightBytes: 0,
      bytesPerSecond: 0,
      reportedAt: null,
    });
  });

  it('finds no session for an id that was not inserted', async () => {
    expect(await current().get('session-nobody-made')).toBeUndefined();
  });

  it('rejects a session id on record, and keeps the session that has it', async () => {
    const session = await insertSession(current());

    await expect(current().insert({ ...session, key: 'other.mp4' })).rejects.toThrow();

    expect((await mustGet(current(), session.sessionId)).key).toBe(session.key);
  });

  it.each([
    0,
    1,
    2 ** 31,
    2 ** 32 + 1,
    5 * GiB - 1,
    S3_LIMITS.maxObjectSize - 1,
    S3_LIMITS.maxObjectSize,
    Number.MAX_SAFE_INTEGER,
  ])('keeps a size of %d bytes exactly', async (size) => {
    const plan = { strategy: 'multipart', partSize: size, partCount: 1 } as const;

    const { sessionId } = await insertSession(current(), { size, plan });

    const session = await mustGet(current(), sessionId);
    expect(session.size).toBe(size);
    expect(session.plan).toStrictEqual(plan);
  });

  it.each(['single', 'chunked', 'multipart'] as const)('keeps a plan of strategy %s', async (strategy) => {
    const plan = planParts(512 * MiB, strategy);

    const { sessionId } = await insertSession(current(), { size: 512 * MiB, plan });

    expect((await mustGet(current(), sessionId)).plan).toStrictEqual(plan);
  });

  it('keeps text in any script, quotes, percent signs and emoji exactly', async () => {
    const text = `Übung's "100%" \\ 影片 🎬 e\u0301 é ‏عربي; DROP TABLE x;--`;
    const session = aNewSession({
      owner: text,
      bucket: text,
      key: `dir/${text}`,
      fileName: text,
      contentType: text,
      fingerprint: text,
      metadata: { [text]: text, empty: '', __proto__key: 'x' },
    });

    await current().insert(session);

    expect(await current().get(session.sessionId)).toMatchObject(session);
  });

  it('keeps an absent content type and fingerprint absent', async () => {
    const { sessionId } = await insertSession(current(), { contentType: null, fingerprint: null });

    expect(await current().get(sessionId)).toMatchObject({ contentType: null, fingerprint: null });
  });
}

export function describeIdempotencyKeys(current: () => SessionStore): void {
  const record = { key: 'key-1', requestHash: 'hash-1' };

  it('is found with the session and the request hash that it was reserved with', async () => {
    const session = aNewSession();

    expect(await current().insert(session, record)).toStrictEqual({ outcome: 'inserted' });

    expect(await current().findByIdempotencyKey(session.owner, 'key-1')).toStrictEqual({
      sessionId: session.sessionId,
      requestHash: 'hash-1',
    });
  });

  it('inserts nothing if the owner has used the key before, and the first reservation stays', async () => {
    const first = aNewSession();
    const second = aNewSession();
    await current().insert(first, record);

    expect(await current().insert(second, { key: 'key-1', requestHash: 'hash-2' })).toStrictEqual({ outcome: 'taken' });

    expect(await current().get(second.sessionId)).toBeUndefined();
    expect(await current().findByIdempotencyKey(first.owner, 'key-1')).toStrictEqual({
      sessionId: first.sessionId,
      requestHash: 'hash-1',
    });
  });

  it('belongs to its owner: another owner may use the same key', async () => {
    await current().insert(aNewSession({ owner: 'alice' }), record);

    expect(await current().insert(aNewSession({ owner: 'bob' }), record)).toStrictEqual({ outcome: 'inserted' });
  });

  it('is not found for an owner that has not used it', async () => {
    await current().insert(aNewSession({ owner: 'alice' }), record);

    expect(await current().findByIdempotencyKey('bob', 'key-1')).toBeUndefined();
    expect(await current().findByIdempotencyKey('alice', 'key-2')).toBeUndefined();
  });

  it('is not reserved by a session that was rejected', async () => {
    const session = await insertSession(current());

    await expect(current().insert(session, record)).rejects.toThrow();

    expect(await current().findByIdempotencyKey(session.owner, 'key-1')).toBeUndefined();
  });

  it('can be reserved for a session on record, unless its owner has used it', async () => {
    const session = await insertSession(current());
    const other = await insertSession(current());

    expect(await current().reserveIdempotencyKey(session.owner, record, session.sessionId, NOON)).toBe(true);
    expect(await current().reserveIdempotencyKey(session.owner, { key: 'key-1', requestHash: 'h' }, other.sessionId, NOON)).toBe(
      false,
    );

    const reserved = { sessionId: session.sessionId, requestHash: 'hash-1' };
    expect(await current().findByIdempotencyKey(session.owner, 'key-1')).toStrictEqual(reserved);
  });

  it('cannot be reserved for a session that is not on record', async () => {
    await expect(current().reserveIdempotencyKey('alice', record, 'ses_unknown', NOON)).rejects.toThrow();
  });

  it('is free again after it was released, and other keys stay reserved', async () => {
    const session = aNewSession();
    await current().insert(session, record);
    await current().reserveIdempotencyKey(session.owner, { key: 'key-2', requestHash: 'h' }, session.sessionId, NOON);

    await current().releaseIdempotencyKey(session.owner, 'key-1');
    await current().releaseIdempotencyKey(session.owner, 'key-1');

    expect(await current().findByIdempotencyKey(session.owner, 'key-1')).toBeUndefined();
    expect(await current().findByIdempotencyKey(session.owner, 'key-2')).toBeDefined();
    expect(await current().insert(aNewSession(), record)).toStrictEqual({ outcome: 'inserted' });
  });

  it('is deleted when it is old, and can then be used again', async () => {
    const session = aNewSession({ createdAt: NOON });
    await current().insert(session, record);

    expect(await current().deleteIdempotencyKeys(NOON)).toBe(0);
    expect(await current().findByIdempotencyKey(session.owner, 'key-1')).toBeDefined();
    expect(await current().deleteIdempotencyKeys(NOON + 1)).toBe(1);

    expect(await current().findByIdempotencyKey(session.owner, 'key-1')).toBeUndefined();
    expect(await current().insert(aNewSession(), record)).toStrictEqual({ outcome: 'inserted' });
  });

  it('is reserved by exactly one of many requests at the same time', async () => {
    const sessions = Array.from({ length: 20 }, () => aNewSession());

    const inserted = await Promise.all(sessions.map((session) => current().insert(session, record)));

    expect(inserted.filter(({ outcome }) => outcome === 'inserted')).toHaveLength(1);
    expect((await current().list({ limit: 100 })).sessions).toHaveLength(1);
  });
}

/** Two clients that start with the same file at the same moment get one session. */
export function describeOneRunningSession(current: () => SessionStore): void {
  const file = { owner: 'alice', bucket: 'uploads', key: 'video.mp4', size: 6 * GiB, fingerprint: 'v1:abc' };

  it.each(['creating', 'open', 'completing'] as const)('inserts nothing while the same file is %s', async (status) => {
    await insertInStatus(current(), status, file);
    const second = aNewSession(file);

    expect(await current().insert(second, { key: 'key-1', requestHash: 'hash-1' })).toStrictEqual({ outcome: 'taken' });

    expect(await current().get(second.sessionId)).toBeUndefined();
    expect(await current().findByIdempotencyKey(second.owner, 'key-1')).toBeUndefined();
  });

  it.each(['completed', 'aborting', 'aborted', 'expired'] as const)('inserts beside a session that is %s', async (status) => {
    await insertInStatus(current(), status, file);

    expect(await current().insert(aNewSession(file))).toStrictEqual({ outcome: 'inserted' });
  });

  it.each<Partial<NewSession>>([
    { owner: 'bob' },
    { bucket: 'other' },
    { key: 'other.mp4' },
    { size: 6 * GiB + 1 },
    { fingerprint: 'v1:abd' },
    { fingerprint: null },
  ])('inserts where %o differs', async (difference) => {
    await insertSession(current(), file);

    expect(await current().insert(aNewSession({ ...file, ...difference }))).toStrictEqual({ outcome: 'inserted' });
  });

  it('inserts any number of sessions without a fingerprint', async () => {
    for (let count = 0; count < 3; count++) {
      expect(await current().insert(aNewSession({ ...file, fingerprint: null }))).toStrictEqual({ outcome: 'inserted' });
    }
  });

  it('is started by exactly one of many requests at the same time', async () => {
    const inserted = await Promise.all(Array.from({ length: 20 }, () => current().insert(aNewSession(file))));

    expect(inserted.filter(({ outcome }) => outcome === 'inserted')).toHaveLength(1);
  });

  it('stays the only one while it heals', async () => {
    const { sessionId } = await insertOpenSession(current(), file);
    await healSession(current(), sessionId);

    expect(await current().insert(aNewSession(file))).toStrictEqual({ outcome: 'taken' });
  });
}

export function describeFindByFingerprint(current: () => SessionStore): void {
  const wanted = { owner: 'alice', bucket: 'uploads', keyRequest: 'video.mp4', size: 6 * GiB, fingerprint: 'v1:abc' };

  it('finds the session of the same owner, bucket, key, size and fingerprint', async () => {
    const { sessionId } = await insertSession(current(), wanted);

    expect(await current().findByFingerprint(wanted, ['creating'])).toStrictEqual(await current().get(sessionId));
  });

  it.each<Partial<FingerprintQuery>>([
    { owner: 'bob' },
    { bucket: 'other' },
    { keyRequest: 'other.mp4' },
    { size: 6 * GiB + 1 },
    { fingerprint: 'v1:abd' },
  ])('finds nothing where %o differs', async (difference) => {
    await insertSession(current(), wanted);

    expect(await current().findByFingerprint({ ...wanted, ...difference }, STATUSES)).toBeUndefined();
  });

  it('looks only at sessions in one of the given statuses', async () => {
    const { sessionId } = await insertOpenSession(current(), wanted);

    expect(await current().findByFingerprint(wanted, ['creating', 'completed'])).toBeUndefined();
    expect(await current().findByFingerprint(wanted, [])).toBeUndefined();
    expect((await current().findByFingerprint(wanted, ['creating', 'open']))?.sessionId).toBe(sessionId);
  });

  it('returns the newest of several', async () => {
    const madeAt = async (createdAt: Instant) => insertInStatus(current(), 'aborted', { ...wanted, createdAt });
    await madeAt(NOON + 1);
    const newest = await madeAt(NOON + 3);
    await madeAt(NOON + 2);

    expect((await current().findByFingerprint(wanted, STATUSES))?.sessionId).toBe(newest);
  });

  it('never finds a session without a fingerprint', async () => {
    await insertSession(current(), { ...wanted, fingerprint: null });

    expect(await current().findByFingerprint({ ...wanted, fingerprint: '' }, STATUSES)).toBeUndefined();
  });
}

export function describeList(current: () => SessionStore): void {
  /** Follows `nextCursor` to the end; `between` runs after each page. */
  async function listAll(query: SessionQuery, between: (page: number) => Promise<void> = async () => {}): Promise<string[]> {
    const found: string[] = [];
    let cursor: string | null | undefined;
    for (let page = 1; cursor !== null; page++) {
      const answer = await current().list(cursor === undefined ? query : { ...query, cursor });
      found.push(...ids(answer.sessions));
      cursor = answer.nextCursor;
      await between(page);
    }
    return found;
  }

  async function insertMany(count: number, overrides: (index: number) => Partial<NewSession>): Promise<string[]> {
    const inserted: string[] = [];
    for (let index = 0; index < count; index++) inserted.push((await insertSession(current(), overrides(index))).sessionId);
    return inserted;
  }

  it('is one empty page without sessions', async () => {
    expect(await current().list({ limit: 10 })).toStrictEqual({ sessions: [], nextCursor: null });
  });

  it('returns the newest first, whatever the order of insertion', async () => {
    const [middle, newest, oldest] = await insertMany(3, (index) => ({ createdAt: NOON + ((index + 1) % 3) }));

    expect(ids((await current().list({ limit: 10 })).sessions)).toStrictEqual([newest, middle, oldest]);
  });

  it('returns complete sessions, as `get` does', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: storedParts(1, 3), inFlightBytes: 7, bytesPerSecond: 1.5 }));

    expect((await current().list({ limit: 10 })).sessions).toStrictEqual([await current().get(sessionId)]);
  });

  it.each([1, 2, 3, 7])('returns every session once in pages of %d', async (limit) => {
    const inserted = await insertMany(7, (index) => ({ createdAt: NOON + index }));

    expect(await listAll({ limit })).toStrictEqual(inserted.reverse());
  });

  it('returns every session once if all were created in the same instant', async () => {
    const inserted = await insertMany(9, () => ({ createdAt: NOON }));

    expect((await listAll({ limit: 2 })).sort()).toStrictEqual(inserted.sort());
  });

  it('orders sessions of one instant by the bytes of their ids, whatever the locale of the database', async () => {
    const ids = ['A', 'Z', '_', 'a', 'a-b', 'ab', 'z', 'ä'];
    for (const sessionId of ids) await insertSession(current(), { sessionId });

    expect(await listAll({ limit: 3 })).toStrictEqual(ids.reverse());
  });

  it('ends with a null cursor, even if the last page is full', async () => {
    await insertMany(4, (index) => ({ createdAt: NOON + index }));

    const first = await current().list({ limit: 2 });
    const second = await current().list({ limit: 2, cursor: first.nextCursor ?? 'none' });

    expect(first.nextCursor).toBeTypeOf('string');
    expect(second.sessions).toHaveLength(2);
    expect(second.nextCursor).toBeNull();
  });

  it('neither repeats nor skips a session while others are inserted between the pages', async () => {
    const inserted = await insertMany(6, (index) => ({ createdAt: NOON + index * 10 }));

    const found = await listAll({ limit: 2 }, async (page) => {
      if (page > 3) return;
      await insertSession(current(), { createdAt: NOON + 1_000 + page });
      await insertSession(current(), { createdAt: NOON + 25 });
    });

    expect(new Set(found).size).toBe(found.length);
    expect(found.filter((id) => inserted.includes(id))).toStrictEqual(inserted.reverse());
  });

  it('continues after a cursor whose own session no longer matches the filter', async () => {
    const inserted = await insertMany(2, (index) => ({ createdAt: NOON + index }));
    const { sessionId } = await insertSession(current(), { createdAt: NOON + 2 });
    const first = await current().list({ status: 'creating', limit: 1 });
    await current().changeStatus(expected(sessionId, 'creating'), { to: 'aborting', at: NOON, endsAs: 'aborted' });

    const second = await current().list({ status: 'creating', limit: 5, cursor: first.nextCursor ?? 'none' });

    expect(ids(second.sessions)).toStrictEqual([inserted[1], inserted[0]]);
  });

  it('returns the first page for an unknown cursor', async () => {
    const inserted = await insertMany(2, (index) => ({ createdAt: NOON + index }));
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

    for (const cursor of [
      '',
      'nonsense',
      '😀',
      '0',
      encode(null),
      encode({}),
      encode([1]),
      encode(['1', 'x']),
      encode([0.5, 'x']),
    ]) {
      expect(ids((await current().list({ limit: 10, cursor })).sessions)).toStrictEqual([inserted[1], inserted[0]]);
    }
  });

  it('filters by owner, by status, and by both, over pages', async () => {
    const rows: { sessionId: string; owner: string; status: Status }[] = [];
    for (const status of ['creating', 'open', 'completing', 'open', 'completing', 'creating'] as const) {
      for (const owner of ['alice', 'bob', 'alice']) {
        const sessionId = await insertInStatus(current(), status, { owner, createdAt: NOON + rows.length });
        rows.unshift({ sessionId, owner, status });
      }
    }
    const where = (test: (row: (typeof rows)[number]) => boolean) => ids(rows.filter(test));

    expect(await listAll({ limit: 2, owner: 'bob' })).toStrictEqual(where((row) => row.owner === 'bob'));
    expect(await listAll({ limit: 2, status: 'open' })).toStrictEqual(where((row) => row.status === 'open'));
    expect(await listAll({ limit: 2, owner: 'alice', status: 'completing' })).toStrictEqual(
      where((row) => row.owner === 'alice' && row.status === 'completing'),
    );
    expect(await listAll({ limit: 2, owner: 'carol' })).toStrictEqual([]);
  });
}

/** U+0000, which PostgreSQL cannot store. Keys and names never hold it, but ids and ETags do if a client sends it. */
export function describeNul(current: () => SessionStore): void {
  it('in an id finds nothing', async () => {
    await current().insert(aNewSession(), { key: 'key-1', requestHash: 'hash-1' });

    expect(await current().get('\0')).toBeUndefined();
    expect(await current().findByIdempotencyKey('alice', 'key-1\0')).toBeUndefined();
    expect(await current().findCapabilityByHash('\0')).toBeUndefined();
    expect((await current().list({ limit: 10, keyPrefix: '\0' })).sessions).toStrictEqual([]);
    const cursor = Buffer.from(JSON.stringify([NOON + 1, '\0'])).toString('base64url');
    expect((await current().list({ limit: 10, cursor })).sessions).toHaveLength(1);
  });

  it('in a report of a client does no harm', async () => {
    const { sessionId } = await insertOpenSession(current(), { fingerprint: 'v1\0' });

    const report = aReport(sessionId, { clientId: 'client\0', parts: [aStoredPart(1, { etag: '"\0"' })] });
    expect(await current().report(report)).toMatchObject({ outcome: 'recorded' });
    expect(await current().report(report)).toMatchObject({ outcome: 'recorded' });
    expect((await mustGet(current(), sessionId)).partsStored).toBe(1);
  });
}

export function describePingAndClose(current: () => SessionStore): void {
  it('answers a ping, with or without sessions', async () => {
    await expect(current().ping()).resolves.toBeUndefined();
    await insertSession(current());
    await expect(current().ping()).resolves.toBeUndefined();
  });

  it('serves nothing once closed, and can be closed again', async () => {
    await current().close();

    await expect(current().ping()).rejects.toThrow();
    await expect(current().get('any')).rejects.toThrow();
    await expect(current().close()).resolves.toBeUndefined();
  });
}
