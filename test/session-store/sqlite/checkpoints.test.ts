import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startCheckpoints } from '../../../src/session-store/sqlite/checkpoints.ts';
import { openSqliteDatabase, type SqliteDatabase } from '../../../src/session-store/sqlite/driver.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { insertSession } from '../../support/database/sessions.ts';

const OFTEN_MS = 5;
const MiB = 1_024 * 1_024;

let folder: string;
let file: string;
let db: SqliteDatabase;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'partway-checkpoints-'));
  file = path.join(folder, 'sessions.db');
  db = openSqliteDatabase(file);
  db.exec('CREATE TABLE films (film)');
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const walBytes = () => statSync(`${file}-wal`).size;
const autocheckpoint = () => db.prepare<[]>('PRAGMA wal_autocheckpoint').get();

describe('checkpoints in a thread', () => {
  it('copy the commits of another connection into the database', async () => {
    const checkpoints = startCheckpoints(file, db, { everyMs: OFTEN_MS });
    db.exec("INSERT INTO films VALUES ('The Third Man')");

    await vi.waitFor(() => expect(readFileSync(file).includes('The Third Man')).toBe(true), 30_000);
    await checkpoints.stop();
  });

  it('leave a WAL at its size limit to the committing connection, so that it does not grow for ever', async () => {
    const checkpoints = startCheckpoints(file, db, { everyMs: 3_600_000 });
    const insert = db.prepare<[number]>('INSERT INTO films VALUES (zeroblob(?))');
    db.exec('PRAGMA synchronous = OFF');

    for (let written = 0; written < 160; written++) insert.run(MiB);

    expect(walBytes()).toBeGreaterThan(60 * MiB);
    expect(walBytes()).toBeLessThan(70 * MiB);
    await checkpoints.stop();
  });

  it('that the thread cannot make are made by SQLite as usual', async () => {
    const checkpoints = startCheckpoints(path.join(folder, 'no-such.db'), db, { everyMs: OFTEN_MS });
    expect(autocheckpoint()).toEqual({ wal_autocheckpoint: 16_384 });

    await vi.waitFor(() => expect(autocheckpoint()).toEqual({ wal_autocheckpoint: 1_000 }), 30_000);
    await checkpoints.stop();
  });

  it('end with the session store of a server, which leaves one complete file', async () => {
    db.close();
    rmSync(folder, { recursive: true });
    const store = openSqliteStore(file, { isServer: true });
    await insertSession(store);
    expect(existsSync(`${file}-wal`)).toBe(true);

    await store.close();

    expect(existsSync(`${file}-wal`)).toBe(false);
  });
});
