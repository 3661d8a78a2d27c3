import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { SessionStoreUnavailable } from '../../../src/session-store/port/unavailable.ts';
import { openSqliteDatabase, type SqliteDatabase } from '../../../src/session-store/sqlite/driver.ts';
import { explainSqliteError } from '../../../src/session-store/sqlite/errors.ts';
import { createSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { aNewSession, aReport, insertOpenSession, mustGet, storedParts } from '../../support/database/sessions.ts';

let file: string;
let db: SqliteDatabase;
let store: SessionStore;
beforeEach(() => {
  const folder = mkdtempSync(path.join(tmpdir(), 'partway-sqlite-'));
  file = path.join(folder, 'sessions.db');
  db = openSqliteDatabase(file);
  store = createSqliteStore(db);
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
});

/** Fills the database, so that no more row fits. */
function limitPages(): void {
  const { page_count: pages } = db.prepare<[], { page_count: number }>('PRAGMA page_count').get() ?? { page_count: 0 };
  db.prepare(`PRAGMA max_page_count = ${pages}`).get();
}

const unavailable = (reason: string) => expect.objectContaining({ name: 'SessionStoreUnavailable', reason });

describe('a SQLite database that cannot serve now', () => {
  it('is full: a report of many parts is refused as a whole, and recorded once there is room', async () => {
    const { sessionId } = await insertOpenSession(store);
    const before = await mustGet(store, sessionId);
    const report = aReport(sessionId, { parts: storedParts(1, 2_000) });
    limitPages();

    await expect(store.report(report)).rejects.toEqual(unavailable('full'));

    expect(await store.get(sessionId)).toStrictEqual(before);
    db.prepare('PRAGMA max_page_count = 100000').get();
    expect(await store.report(report)).toMatchObject({ outcome: 'recorded' });
    expect((await mustGet(store, sessionId)).partsStored).toBe(2_000);
  });

  it('is locked by another process: it is away, and can be written once the lock is released', async () => {
    db.exec('PRAGMA busy_timeout = 1');
    const other = openSqliteDatabase(file);
    onTestFinished(() => {
      other.close();
    });
    other.exec('BEGIN IMMEDIATE');

    await expect(store.insert(aNewSession())).rejects.toEqual(unavailable('away'));

    other.exec('ROLLBACK');
    expect(await store.insert(aNewSession())).toEqual({ outcome: 'inserted' });
  });

  it('is read-only: the outbox and a single statement report it as well', async () => {
    db.exec('PRAGMA query_only = ON');

    for (const call of [store.outbox.replayDead(1), store.touch('ses_1', 1), store.acquireSweepLease('me', 1, 1)])
      await expect(call).rejects.toEqual(unavailable('read-only'));
  });

  it('keeps the cause for the log, with the code of SQLite', async () => {
    db.exec('PRAGMA query_only = ON');

    const error = await store.touch('ses_1', 1).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(SessionStoreUnavailable);
    expect(error).toMatchObject({ message: expect.stringContaining('(SQLITE_READONLY)'), cause: { code: 'SQLITE_READONLY' } });
  });
});

describe('a ping of a SQLite database', () => {
  it('tries a write the first time, and after a failed write until one succeeds', async () => {
    const { sessionId } = await insertOpenSession(store);
    db.exec('PRAGMA query_only = ON');
    await expect(store.ping()).rejects.toEqual(unavailable('read-only'));
    db.exec('PRAGMA query_only = OFF');
    await store.ping();

    await expect(writing(() => store.ping())).resolves.toBe(false);
    db.exec('PRAGMA query_only = ON');
    await store.ping();
    await expect(store.touch(sessionId, 1)).rejects.toEqual(unavailable('read-only'));
    await expect(store.ping()).rejects.toEqual(unavailable('read-only'));
    db.exec('PRAGMA query_only = OFF');

    await expect(writing(() => store.ping())).resolves.toBe(true);
    await expect(writing(() => store.ping())).resolves.toBe(false);
  });

  /** Whether another connection sees that the file was changed meanwhile. */
  async function writing(work: () => Promise<void>): Promise<boolean> {
    const other = openSqliteDatabase(file);
    const version = () => other.prepare<[], { data_version: number }>('PRAGMA data_version').get()?.data_version;
    const before = version();
    await work();
    const after = version();
    other.close();
    return after !== before;
  }
});

describe('an error of SQLite', () => {
  const sqliteError = (code: string) => Object.assign(new Error('said SQLite'), { name: 'SqliteError', code });

  it.each([
    ['SQLITE_FULL', 'full'],
    ['SQLITE_IOERR_WRITE', 'disk-error'],
    ['SQLITE_IOERR_FSYNC', 'disk-error'],
    ['SQLITE_CANTOPEN', 'disk-error'],
    ['SQLITE_READONLY_DBMOVED', 'read-only'],
    ['SQLITE_BUSY_RECOVERY', 'away'],
  ])('that may pass is reported as such: %s', (code, reason) => {
    expect(explainSqliteError(sqliteError(code))).toEqual(unavailable(reason));
  });

  it.each([
    ['damage', sqliteError('SQLITE_CORRUPT')],
    ['a broken constraint', sqliteError('SQLITE_CONSTRAINT_UNIQUE')],
    ['a bug', new TypeError('The database connection is not open')],
    ['an error of another origin', Object.assign(new Error('no space'), { code: 'SQLITE_FULL' })],
  ])('that does not pass stays what it is: %s', (_, error) => {
    expect(explainSqliteError(error)).toBe(error);
  });
});
