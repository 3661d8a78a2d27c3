import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import type { SessionStoreUnavailable } from '../../../src/session-store/port/unavailable.ts';
import { backUpSqlite } from '../../../src/session-store/sqlite/backup.ts';
import { loadSqlite } from '../../../src/session-store/sqlite/driver.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { aNewSession, insertOpenSession, insertSession } from '../../support/database/sessions.ts';

let folder: string;
let file: string;
let losses: SessionStoreUnavailable[];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'partway-file-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(path.join(folder, 'data'));
  file = path.join(folder, 'data', 'partway.db');
  losses = [];
});

const beside = (name: string) => path.join(folder, name);
const lost = (reason: string) => expect.objectContaining({ name: 'SessionStoreUnavailable', reason });

/** Opens the store as a starting server does. */
async function aServedStore(at = file): Promise<SessionStore> {
  const store = openSqliteStore(at, { isServer: true, onLoss: (error) => losses.push(error) });
  onTestFinished(() => store.close());
  await store.ping();
  return store;
}

async function anotherDatabase(): Promise<string> {
  const other = openSqliteStore(beside('other.db'));
  for (let count = 0; count < 30; count++) await insertSession(other);
  await other.close();
  return beside('other.db');
}

/** Changes that people and programs make to a file, and the reason that the session store gives. */
const MISHAPS: readonly (readonly [string, string, () => Promise<void> | void])[] = [
  ['was deleted', 'file-deleted', () => rmSync(file)],
  ['was deleted with all that is beside it', 'file-deleted', () => rmSync(path.dirname(file), { recursive: true })],
  ['was moved', 'file-deleted', () => renameSync(file, beside('moved.db'))],
  ['was moved with its folder', 'file-deleted', () => renameSync(path.dirname(file), beside('moved'))],
  ['was replaced by another database', 'file-replaced', async () => renameSync(await anotherDatabase(), file)],
  [
    'was replaced by an empty file',
    'file-replaced',
    () => {
      rmSync(file);
      writeFileSync(file, '');
    },
  ],
  ['was truncated to nothing', 'file-truncated', () => truncateSync(file, 0)],
  ['was truncated to its first page', 'file-truncated', () => truncateSync(file, 4_096)],
  ['was truncated in the middle of a page', 'file-truncated', () => truncateSync(file, 50)],
  ['was overwritten by another database', 'file-overwritten', async () => copyFileSync(await anotherDatabase(), file)],
  ['was overwritten by something else', 'file-overwritten', () => writeFileSync(file, Buffer.alloc(1_024 * 1_024, 7))],
  [
    'was overwritten by a backup that was just made of it',
    'file-overwritten',
    () => {
      backUpSqlite(file, beside('backup.db'));
      copyFileSync(beside('backup.db'), file);
    },
  ],
  ['has lost its WAL', 'wal-lost', () => rmSync(`${file}-wal`)],
  ['has lost its shared memory', 'wal-lost', () => rmSync(`${file}-shm`)],
];

describe('a database whose file', () => {
  it.each(MISHAPS)('%s records nothing more, and says why', async (_, reason, happen) => {
    const store = await aServedStore();
    const { sessionId } = await insertOpenSession(store);
    await vi.waitFor(() => expect(readFileSync(file).includes(sessionId)).toBe(true), 30_000);

    await happen();

    for (const call of [
      () => store.insert(aNewSession()),
      () => store.touch(sessionId, 1),
      () => store.ping(),
      () => store.get(sessionId),
      () => store.outbox.replayDead(1),
    ])
      await expect(call()).rejects.toEqual(lost(reason));
    expect(losses).toEqual([lost(reason)]);
    expect(losses[0]?.message).toContain(file);
    expect(losses[0]?.message).toMatch(/Stop this server.*start (?:it|the server) again/);
  });

  it.each(MISHAPS)('%s is reported within seconds even without requests', async (_, reason, happen) => {
    const store = await aServedStore();
    const { sessionId } = await insertOpenSession(store);
    await vi.waitFor(() => expect(readFileSync(file).includes(sessionId)).toBe(true), 30_000);

    await happen();

    await vi.waitFor(() => expect(losses).toEqual([lost(reason)]), 30_000);
  });

  it('came back stays lost until the next start: it may have been changed meanwhile', async () => {
    const store = await aServedStore();
    renameSync(file, beside('moved.db'));
    await expect(store.ping()).rejects.toEqual(lost('file-deleted'));

    renameSync(beside('moved.db'), file);

    await expect(store.insert(aNewSession())).rejects.toEqual(lost('file-deleted'));
    await store.close();
    expect(await (await aServedStore()).insert(aNewSession())).toEqual({ outcome: 'inserted' });
  });

  it('was overwritten keeps its new contents: nothing of the WAL gets into it, now or when the store closes', async () => {
    const store = await aServedStore();
    const other = readFileSync(await anotherDatabase());
    const { sessionId } = await insertOpenSession(store);
    writeFileSync(file, other);

    await vi.waitFor(() => expect(losses).toHaveLength(1), 30_000);
    await store.close();

    expect(readFileSync(file).equals(other)).toBe(true);
    expect(existsSync(`${file}-wal`)).toBe(true);
    expect(sessionId).toBeDefined();
  });

  it('has lost its WAL is complete again after the store was closed', async () => {
    const store = await aServedStore();
    rmSync(`${file}-wal`);
    await expect(store.ping()).rejects.toEqual(lost('wal-lost'));
    await store.close();
    expect(await (await aServedStore()).insert(aNewSession())).toEqual({ outcome: 'inserted' });
  });

  it('is a symbolic link that now points to another database was replaced', async () => {
    const link = beside('link.db');
    symlinkSync(file, link);
    const store = await aServedStore(link);
    const other = await anotherDatabase();
    rmSync(link);
    symlinkSync(other, link);

    await expect(store.insert(aNewSession())).rejects.toEqual(lost('file-replaced'));
  });

  it('holds pages that are not its own is damaged, and nothing more is recorded', async () => {
    const store = await aServedStore();
    for (let count = 0; count < 50; count++) await insertSession(store);
    await store.close();
    const db = new (loadSqlite())(file);
    const index = "SELECT rootpage AS page FROM sqlite_schema WHERE name = 'upload_sessions_newest'";
    const { page } = db.prepare<[], { page: number }>(index).get() ?? { page: 1 };
    db.close();
    const bytes = readFileSync(file);
    bytes.fill(7, (page - 1) * 4_096, page * 4_096);
    writeFileSync(file, bytes);
    const served = await openSqliteServed();

    await expect(served.list({ limit: 10 })).rejects.toEqual(lost('file-damaged'));
    await expect(served.ping()).rejects.toEqual(lost('file-damaged'));
  });

  it('was made smaller by a VACUUM of another program, or written by it, is still the same', async () => {
    const store = await aServedStore();
    for (let count = 0; count < 300; count++) await insertSession(store);
    const other = new (loadSqlite())(file);
    onTestFinished(() => void other.close());
    other.exec('CREATE TABLE filling (bytes); INSERT INTO filling VALUES (zeroblob(4000000)); DROP TABLE filling');
    await vi.waitFor(() => expect(readFileSync(file).length).toBeGreaterThan(4_000_000), 30_000);

    other.exec('VACUUM');

    await vi.waitFor(() => expect(readFileSync(file).length).toBeLessThan(4_000_000), 30_000);
    expect(await store.insert(aNewSession())).toEqual({ outcome: 'inserted' });
    expect(losses).toEqual([]);
  });

  it('is copied, listed and used by other commands is still the same', async () => {
    const store = await aServedStore();
    backUpSqlite(file, beside('backup.db'));
    const command = openSqliteStore(file);
    await insertSession(command);
    await command.close();

    await store.ping();
    expect((await store.list({ limit: 10 })).sessions).toHaveLength(1);
    expect(losses).toEqual([]);
  });
});

/** Waits without a query that would meet the damage. */
async function openSqliteServed(): Promise<SessionStore> {
  const store = openSqliteStore(file, { isServer: true, onLoss: (error) => losses.push(error) });
  onTestFinished(() => store.close());
  return store;
}

describe('the only server of a database', () => {
  const refused = expect.objectContaining({
    name: 'SessionStoreStartError',
    message: expect.stringContaining('Another partway server has the database'),
    hint: expect.stringContaining('Stop that one first'),
  });

  it('keeps another one from starting, by any path, until it ends', async () => {
    const store = await aServedStore();
    const link = beside('link.db');
    symlinkSync(file, link);

    for (const at of [file, link, path.join(folder, 'data', '..', 'data', 'partway.db')])
      await expect(aServedStore(at)).rejects.toEqual(refused);

    await store.close();
    await aServedStore(link);
  });

  it('lets commands read and write beside it', async () => {
    const store = await aServedStore();
    const command = openSqliteStore(file);
    await insertSession(command);
    await command.close();
    expect((await store.list({ limit: 10 })).sessions).toHaveLength(1);
  });

  it('does not start if the file has another name (hard link), by which another program might open it', async () => {
    await (await aServedStore()).close();
    linkSync(file, beside('second-name.db'));
    await expect(aServedStore()).rejects.toMatchObject({
      name: 'SessionStoreStartError',
      message: expect.stringContaining('has 2 names (hard links)'),
    });
    rmSync(beside('second-name.db'));
    await aServedStore();
  });

  it('creates the file that a symbolic link points to', async () => {
    const link = beside('link.db');
    symlinkSync(file, link);
    await aServedStore(link);
    expect(existsSync(file)).toBe(true);
    expect(existsSync(`${file}-lock`)).toBe(true);
  });

  it('releases the lock if it could not start', async () => {
    writeFileSync(file, 'not a database, and longer than a header of one would be'.repeat(10));
    await expect(aServedStore()).rejects.toMatchObject({ message: expect.stringContaining('cannot be opened') });
    rmSync(file);
    await aServedStore();
  });
});
