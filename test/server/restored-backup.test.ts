import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type * as wire from '../../src/contract/wire.ts';
import { sweep } from '../../src/server/lifecycle/sweeper.ts';
import { backUpSqlite } from '../../src/session-store/sqlite/backup.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { checksumOf } from '../suites/object-store.ts';
import { ControlPlaneBench, SMALL_FILE, SMALL_FILE_CHECKSUM } from '../support/server/control-plane.ts';

/** A control plane on a file, and the same one after yesterday's backup took the place of its database. The object store is as it is today. */
let today: ControlPlaneBench;
let database: string;
let backup: string;
beforeEach(() => {
  const folder = mkdtempSync(path.join(tmpdir(), 'partway-restored-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  database = path.join(folder, 'partway.db');
  backup = path.join(folder, 'backup.db');
  today = new ControlPlaneBench({ sessions: openSqliteStore(database) });
});

async function restore(): Promise<ControlPlaneBench> {
  await today.sessions.close();
  const sessions = openSqliteStore(backup);
  onTestFinished(() => sessions.close());
  return new ControlPlaneBench({ sessions, objects: today.objects });
}

const pathOf = ({ sessionId }: wire.Session, rest = '') => `/api/uploads/${sessionId}${rest}`;

describe('after yesterday’s database was restored', () => {
  it('a session that has gone on since shows what the store holds, and completes without sending any of it again', async () => {
    const session = await today.create();
    await today.putParts(session.sessionId, SMALL_FILE, [1]);
    backUpSqlite(database, backup);
    await today.putParts(session.sessionId, SMALL_FILE, [2, 3]);

    const restored = await restore();

    expect((await restored.ask<wire.PartsResponse>('GET', pathOf(session, '/parts'))).missing).toEqual([]);
    expect(await restored.ask('POST', pathOf(session, '/complete'), { body: { checksum: SMALL_FILE_CHECKSUM } })).toMatchObject({
      status: 'completed',
      checksum: SMALL_FILE_CHECKSUM,
    });
  });

  it.each([
    ['asked to complete it', 'POST', '/complete'],
    ['asked for its parts', 'GET', '/parts'],
  ])('a session that has completed since is completed again when %s', async (_, method, rest) => {
    const session = await today.create();
    await today.putParts(session.sessionId, SMALL_FILE);
    backUpSqlite(database, backup);
    await today.ask('POST', pathOf(session, '/complete'));

    const restored = await restore();

    expect(await restored.ask(method, pathOf(session, rest))).toMatchObject({ status: 'completed' });
    expect(checksumOf(restored.objects.read('film.mkv') ?? new Uint8Array())).toBe(SMALL_FILE_CHECKSUM);
  });

  it('a session that has completed since, and whose object was replaced, is never called completed', async () => {
    const session = await today.create({ overwrite: true });
    await today.putParts(session.sessionId, SMALL_FILE);
    backUpSqlite(database, backup);
    await today.ask('POST', pathOf(session, '/complete'));
    today.objects.putObject('film.mkv', Buffer.from('something else'));

    const restored = await restore();

    expect(await restored.askForProblem('POST', pathOf(session, '/complete'))).toMatchObject({ code: 'PARTS_LOST' });
    expect(await restored.ask('GET', pathOf(session))).toMatchObject({ status: 'open', storedBytes: 0 });
  });

  it('a session that was aborted since heals under its id, and its bytes must be sent again', async () => {
    const session = await today.create();
    await today.putParts(session.sessionId, SMALL_FILE);
    backUpSqlite(database, backup);
    await today.ask('DELETE', pathOf(session));

    const restored = await restore();

    expect(await restored.ask('GET', pathOf(session, '/parts'))).toMatchObject({ status: 'open', storedBytes: 0, parts: [] });
    await restored.putParts(session.sessionId, SMALL_FILE);
    expect(await restored.ask('POST', pathOf(session, '/complete'))).toMatchObject({
      status: 'completed',
      checksum: checksumOf(SMALL_FILE),
    });
  });

  it('a session that was made since is unknown, and the same file begins again', async () => {
    await today.create({ key: 'earlier' });
    backUpSqlite(database, backup);
    const session = await today.create({ fingerprint: 'print' });

    const restored = await restore();

    expect(await restored.askForProblem('GET', pathOf(session))).toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect((await restored.create({ fingerprint: 'print' })).sessionId).not.toBe(session.sessionId);
  });

  it('the sweeper repairs what was in progress, and quotas count what is on record', async () => {
    const session = await today.create();
    await today.putParts(session.sessionId, SMALL_FILE);
    today.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect: true });
    await today.askForProblem('POST', pathOf(session, '/complete'));
    backUpSqlite(database, backup);
    await today.ask('POST', pathOf(session, '/complete'));

    const restored = await restore();
    expect(await restored.sessions.usageOf('admin')).toEqual({
      openSessions: 1,
      reservedBytes: SMALL_FILE.length,
      settledBytes: 0,
    });
    await sweep(restored.deps, 0);

    expect(await restored.ask('GET', pathOf(session))).toMatchObject({ status: 'completed' });
    expect(await restored.sessions.usageOf('admin')).toEqual({
      openSessions: 0,
      reservedBytes: 0,
      settledBytes: SMALL_FILE.length,
    });
  });
});
