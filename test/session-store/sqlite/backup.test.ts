import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { backUpSqlite } from '../../../src/session-store/sqlite/backup.ts';
import { openSqliteDatabase, sqlitePackage } from '../../../src/session-store/sqlite/driver.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { aReport, insertOpenSession, mustGet, storedParts } from '../../support/database/sessions.ts';

let folder: string;
let database: string;
let copy: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'partway-backup-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  database = path.join(folder, 'partway.db');
  copy = path.join(folder, 'copy.db');
});

describe('a backup', () => {
  it('holds all records, and a server can continue with it', async () => {
    const store = openSqliteStore(database);
    const { sessionId } = await insertOpenSession(store);
    await store.report(aReport(sessionId, { parts: storedParts(1, 3) }));

    expect(backUpSqlite(database, copy)).toBe(statSync(copy).size);

    await store.report(aReport(sessionId, { parts: storedParts(4, 5) }));
    await store.close();
    const restored = openSqliteStore(copy);
    onTestFinished(() => restored.close());
    expect(await mustGet(restored, sessionId)).toMatchObject({ status: 'open', partsStored: 3 });
    expect(await restored.report(aReport(sessionId, { parts: storedParts(4, 4) }))).toMatchObject({ outcome: 'recorded' });
  });

  it('is the state at one instant, while other connections write without waiting', async () => {
    const db = openSqliteDatabase(database);
    db.exec('CREATE TABLE pairs (a INTEGER, b INTEGER)');
    db.close();
    const writer = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
       const db = new (require(workerData.driver))(workerData.database);
       db.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000');
       const insert = db.transaction((n) => { db.prepare('INSERT INTO pairs VALUES (?, NULL)').run(n); db.prepare('UPDATE pairs SET b = a WHERE a = ?').run(n); });
       let n = 0;
       const write = () => { for (let i = 0; i < 50; i++) insert(++n); parentPort.postMessage(n); setImmediate(write); };
       write();`,
      {
        eval: true,
        workerData: { database, driver: createRequire(import.meta.url).resolve(sqlitePackage(process.versions.napi)) },
      },
    );
    const written = () => new Promise<number>((resolve) => writer.once('message', resolve));
    await written();

    const before = await written();
    backUpSqlite(database, copy);
    expect(await written()).toBeGreaterThan(before);
    await writer.terminate();

    const restored = openSqliteDatabase(copy);
    onTestFinished(() => {
      restored.close();
    });
    const [row] = restored
      .prepare<[], { count: number; whole: number }>('SELECT COUNT(*) AS count, SUM(a = b) AS whole FROM pairs')
      .all();
    expect(row?.whole).toBe(row?.count);
    expect(row?.count).toBeGreaterThanOrEqual(before);
  });

  it('is readable only by its owner, and has another name until it is complete', async () => {
    await openSqliteStore(database).close();
    writeFileSync(`${copy}.unfinished`, 'of a backup that was killed', { mode: 0o644 });
    backUpSqlite(database, copy);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    expect(existsSync(`${copy}.unfinished`)).toBe(false);
  });

  it('replaces no file, and needs a database', async () => {
    expect(() => backUpSqlite(database, copy)).toThrow(/no database at/);
    expect(existsSync(database)).toBe(false);
    await openSqliteStore(database).close();
    writeFileSync(copy, 'yesterday');
    expect(() => backUpSqlite(database, copy)).toThrow(/exists already/);
  });

  it('without room leaves nothing behind', async () => {
    await openSqliteStore(database).close();
    expect(() => backUpSqlite(database, path.join(folder, 'no', 'such', 'folder', 'copy.db'))).toThrow(/could not be copied to/);
    expect(existsSync(path.join(folder, 'no'))).toBe(false);
  });

  it('can have any name', async () => {
    await openSqliteStore(database).close();
    const odd = path.join(folder, "it's a copy; DROP TABLE --.db");
    expect(backUpSqlite(database, odd)).toBeGreaterThan(0);
  });
});
