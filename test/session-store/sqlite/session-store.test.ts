import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SessionStoreStartError } from '../../../src/session-store/port/start-error.ts';
import { openSqliteDatabase, withoutSync } from '../../../src/session-store/sqlite/driver.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { describeSessionStore } from '../../suites/session-store.ts';
import {
  aNewSession,
  aReport,
  aStoredPart,
  aToken,
  expected,
  insertOpenSession,
  insertSession,
  NOON,
  storedParts,
} from '../../support/database/sessions.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'partway-sqlite-'));
  file = path.join(folder, 'sessions.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

describeSessionStore('SQLite in memory', async () => {
  const store = openSqliteStore(':memory:');
  return { store, close: () => store.close() };
});

describeSessionStore('SQLite in a file', async () => {
  const store = openSqliteStore(file, { isServer: true });
  return { store, close: () => store.close() };
});

describe('a SQLite file', () => {
  it('keeps everything when it is closed and opened again', async () => {
    const before = openSqliteStore(file);
    const session = aNewSession({ fingerprint: 'v1:abc' });
    await before.insert(session, { key: 'key-1', requestHash: 'hash-1' });
    const { sessionId } = await insertOpenSession(before);
    await before.report(aReport(sessionId, { clientId: 'old' }));
    await before.report(aReport(sessionId, { clientId: 'new', parts: storedParts(1, 3), inFlightBytes: 5 }));
    const token = aToken();
    await before.insertToken(token);
    const list = await before.list({ limit: 10 });
    await before.close();

    const after = openSqliteStore(file);

    expect(await after.list({ limit: 10 })).toStrictEqual(list);
    expect(await after.listParts(sessionId, 1)).toStrictEqual(storedParts(1, 3));
    expect((await after.findByIdempotencyKey(session.owner, 'key-1'))?.sessionId).toBe(session.sessionId);
    expect(await after.report(aReport(sessionId, { clientId: 'old' }))).toStrictEqual({ outcome: 'replaced' });
    expect(await after.findTokenByHash(token.hash)).toStrictEqual(token);
    await after.close();
  });

  it.skipIf(process.platform === 'win32')(
    'is readable by its owner only, with its folder and its -wal and -shm files',
    async () => {
      const nested = path.join(folder, 'state', 'partway', 'sessions.db');
      const store = openSqliteStore(nested);
      await insertSession(store);

      for (const suffix of ['', '-wal', '-shm']) expect(statSync(nested + suffix).mode & 0o777).toBe(0o600);
      for (const parent of ['state', 'state/partway']) expect(statSync(path.join(folder, parent)).mode & 0o777).toBe(0o700);
      await store.close();
    },
  );

  it('is synced to the disk at every commit, except for those that a power cut may undo', () => {
    const db = openSqliteDatabase(file);
    const synchronous = () => db.prepare<[], { synchronous: number }>('PRAGMA synchronous').get()?.synchronous;

    expect(db.prepare<[]>('PRAGMA journal_mode').get()).toStrictEqual({ journal_mode: 'wal' });
    expect(synchronous()).toBe(2);
    expect(withoutSync(db, synchronous)).toBe(1);
    expect(synchronous()).toBe(2);
    expect(() =>
      withoutSync(db, () => {
        throw new Error('full');
      }),
    ).toThrow('full');
    expect(synchronous()).toBe(2);
    expect(db.prepare<[]>('PRAGMA foreign_keys').get()).toStrictEqual({ foreign_keys: 1 });
    db.close();
  });

  it('can be used by two processes: of two that change a status, one succeeds', async () => {
    const [one, two] = [openSqliteStore(file), openSqliteStore(file)];
    const { sessionId } = await insertOpenSession(one);

    const change = { to: 'completing', at: NOON } as const;
    expect(await two.changeStatus(expected(sessionId, 'open'), change)).toBe(true);
    expect(await one.changeStatus(expected(sessionId, 'open'), change)).toBe(false);

    expect(await one.get(sessionId)).toStrictEqual(await two.get(sessionId));
    await Promise.all([one.close(), two.close()]);
  });

  it.each([
    ['a folder', () => mkdirSync(file)],
    ['not a database', () => writeFileSync(file, 'These are my notes, not a database. '.repeat(100))],
  ])('that is %s is refused with its name and what to do', (_, make) => {
    make();

    const error = startErrorOf(() => openSqliteStore(file));

    expect(error.message).toContain(file);
    expect(error.hint).toContain('PARTWAY_DATABASE_URL');
  });

  it('below a file that is not a folder is refused with its name', () => {
    writeFileSync(file, '');

    expect(startErrorOf(() => openSqliteStore(path.join(file, 'sessions.db'))).message).toContain(file);
  });
});

/** Triggers make the last write fail in each method with several writes; the earlier ones must be gone. */
describe('a SQLite write that fails half-way', () => {
  function failWhen(condition: string): void {
    const db = openSqliteDatabase(file);
    db.exec(`CREATE TRIGGER fault BEFORE ${condition} BEGIN SELECT RAISE(ABORT, 'injected fault'); END`);
    db.close();
  }

  it('inserts no session whose idempotency key was not reserved', async () => {
    const store = openSqliteStore(file);
    failWhen('INSERT ON idempotency_keys');
    const session = aNewSession();

    await expect(store.insert(session, { key: 'key-1', requestHash: 'hash-1' })).rejects.toThrow('injected fault');

    expect(await store.get(session.sessionId)).toBeUndefined();
    await store.close();
  });

  it('opens no session whose upload was not recorded', async () => {
    const store = openSqliteStore(file);
    failWhen('INSERT ON multipart_uploads');
    const { sessionId } = await insertSession(store);
    const upload = { uploadId: 'upload-a', initiatedAt: NOON };

    await expect(store.openUpload(expected(sessionId, 'creating'), upload, NOON)).rejects.toThrow('injected fault');

    expect((await store.get(sessionId))?.status).toBe('creating');
    await store.close();
  });

  it('replaces no parts unless all were replaced', async () => {
    const store = openSqliteStore(file);
    const { sessionId } = await insertOpenSession(store);
    await store.replaceParts(sessionId, 1, storedParts(1, 5), NOON + 1);
    failWhen('INSERT ON parts WHEN NEW.part_number = 9');

    await expect(store.replaceParts(sessionId, 1, storedParts(6, 9), NOON + 2)).rejects.toThrow('injected fault');

    expect(await store.listParts(sessionId, 1)).toStrictEqual(storedParts(1, 5));
    await store.close();
  });

  it('records neither client nor parts of a report whose figures were not recorded', async () => {
    const store = openSqliteStore(file);
    const { sessionId } = await insertOpenSession(store);
    await store.report(aReport(sessionId, { clientId: 'old' }));
    const before = await store.get(sessionId);
    failWhen('UPDATE ON upload_sessions WHEN NEW.in_flight_bytes = 13');

    const report = aReport(sessionId, { clientId: 'new', parts: [aStoredPart(1)], inFlightBytes: 13 });
    await expect(store.report(report)).rejects.toThrow('injected fault');

    expect(await store.get(sessionId)).toStrictEqual(before);
    expect(await store.report(aReport(sessionId, { clientId: 'old' }))).toMatchObject({ outcome: 'recorded' });
    await store.close();
  });
});

function startErrorOf(open: () => unknown): SessionStoreStartError {
  try {
    open();
  } catch (error) {
    if (error instanceof SessionStoreStartError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
