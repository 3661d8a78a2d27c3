import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import type { Session } from '../../../src/contract/wire.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { openSqliteDatabase } from '../../../src/session-store/sqlite/driver.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { type CliResult, runCli, startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { limitedDisk, mountSmallDisk, type TestDisk } from '../../support/files/full-disk.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { type ByteProxy, startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { anS3Store } from '../../support/store/s3-stores.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const PART_COUNT = 10;
const SIZE = PART_COUNT * 5 * MiB;
const SMALL = Buffer.from('a small file');
/** The uid and gid of an unprivileged user, because root may write to every file. */
const NOBODY = 65_534;

/** Slow enough that no upload ends before a test has filled the disk, and fast enough that parts do. */
const SLOW_BYTES_PER_SECOND = 2 * MiB;

let folder: string;
/** The proxy in front of the store of the latest control plane. */
let proxy: ByteProxy;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
  await ensureGeneratedFile(join(folder, 'film.mp4'), SIZE);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each<[string, (context: TestContext) => Promise<TestDisk>, RegExp]>([
  ['a disk without room', mountSmallDisk, /its disk is full\. /],
  ['a disk that accepts no more bytes of its files', limitedDisk, /its disk is full, or fails\. /],
])('%s under the database', (_, prepare, message) => {
  it('loses nothing and completes nothing wrongly: the upload waits, and goes on by itself once there is room', async (context) => {
    const disk = await prepare(context);
    const bucket = await createTestBucket();
    const controlPlane = await startOn(disk, bucket);
    const api = new ControlPlane(controlPlane);
    const complete = await openSmall(api, 'complete');
    const abandoned = await openSmall(api, 'abandoned');
    const flags = ['--strategy', 'multipart', '--part-size', '5MiB', '--concurrency', '1', '--json'];
    const cli = startCli(['upload', 'film.mp4', ...flags], { ...controlPlane, cwd: folder });
    onTestFinished(() => void cli.child.kill('SIGKILL'));
    await cli.event(({ type }) => type === 'part');

    await disk.fill(controlPlane.pid);

    const waiting = await cli.event(({ type }) => type === 'offline');
    expect(waiting).toMatchObject({ what: 'the partway server', refuses: true, reason: expect.stringMatching(message) });
    const refused = { code: 'STORE_UNAVAILABLE', detail: expect.stringMatching(message), facts: { retryAfterSeconds: 2 } };
    await expect(openSmall(api, 'another')).rejects.toMatchObject(refused);
    await expect(api.complete(complete.sessionId, {})).rejects.toMatchObject(refused);
    await expect(api.abort(abandoned.sessionId)).rejects.toMatchObject(refused);
    expect(await api.readiness()).toMatchObject({ ready: false, checks: { database: { ok: false }, bucket: { ok: true } } });
    expect((await api.list()).uploads.map(({ key, status }) => [key, status]).sort()).toEqual([
      ['abandoned', 'open'],
      ['complete', 'open'],
      ['film.mp4', 'open'],
    ]);
    const store = await anS3Store({ bucket });
    onTestFinished(() => store.close());
    for (const key of ['complete', 'film.mp4']) expect(await store.headObject(key)).toBeUndefined();

    await disk.makeRoom(controlPlane.pid);
    proxy.bytesPerSecond = undefined;

    const result = await cli.finished;
    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE, bytesSent: SIZE });
    expect(result.events).toContainEqual(expect.objectContaining({ type: 'online', what: 'the partway server' }));
    expect(await hashOfObject(sharedMinio(), bucket, 'film.mp4')).toBe(await hashOfFile(join(folder, 'film.mp4')));
    expect(await api.complete(complete.sessionId, {})).toMatchObject({ status: 'completed', checksum: checksumOf(SMALL) });
    expect(await api.abort(abandoned.sessionId)).toMatchObject({ status: 'aborted' });
    await expect.poll(async () => (await api.readiness()).ready).toBe(true);
    // The sweep at a start does not wait.
    await controlPlane.restart();
    for (const key of ['complete', 'film.mp4', 'abandoned', 'another'])
      await expect.poll(() => store.listMultipartUploads(key), { message: key }).toEqual([]);
  });
});

it('everything acknowledged survives a kill -9 and a restart while the disk is still full', async (context) => {
  const disk = await mountSmallDisk(context);
  const bucket = await createTestBucket();
  const controlPlane = await startOn(disk, bucket);
  const api = new ControlPlane(controlPlane);
  const session = await openSmall(api, 'small');
  await disk.fill(controlPlane.pid);
  await expect(api.complete(session.sessionId, {})).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  const env = { PARTWAY_DATABASE_URL: join(disk.folder, 'partway.db') };
  const token = await runCli(['token', 'create', '--name', 'late', '--scope', 'upload'], { ...controlPlane, env });
  expect(token).toMatchObject({ exitCode: 5, stdout: '', stderr: expect.stringContaining('database or disk is full') });

  await controlPlane.kill();
  await controlPlane.restart();

  expect(await api.get(session.sessionId)).toMatchObject({ status: 'open' });
  expect(await api.readiness()).toMatchObject({ ready: false, checks: { database: { ok: false } } });
  await disk.makeRoom(controlPlane.pid);
  expect(await api.complete(session.sessionId, {})).toMatchObject({ status: 'completed', checksum: checksumOf(SMALL) });
});

describe('a read-only database', () => {
  it('keeps a server from starting if its file is read-only, and the error says what to do', async () => {
    const database = await aDatabase(aTemporaryFolder());
    chmodSync(database, 0o444);
    chmodSync(join(database, '..'), 0o777);

    expectRefusedStart(await serve(database), 1, 'SQLITE_READONLY');
  });

  it('keeps a server from starting if its folder is read-only', async () => {
    const database = await aDatabase(aTemporaryFolder());
    chmodSync(database, 0o444);
    chmodSync(join(database, '..'), 0o555);

    expectRefusedStart(await serve(database), 2, database, 'EACCES');
  });

  it('keeps a server from starting if its file system is read-only, even as root', async (context) => {
    const disk = await mountSmallDisk(context);
    const database = await aDatabase(disk.folder);
    await disk.makeReadOnly();

    expectRefusedStart(await serve(database, {}), 1, database, 'EROFS');
  });
});

async function startOn(disk: TestDisk, bucket: string): Promise<ControlPlaneProcess> {
  proxy = await startByteProxy(sharedMinio().endpoint, { bytesPerSecond: SLOW_BYTES_PER_SECOND });
  const controlPlane = await startControlPlane({
    store: sharedMinio(),
    bucket,
    publicEndpoint: proxy.url,
    untilReady: false,
    env: { PARTWAY_DATABASE_URL: join(disk.folder, 'partway.db') },
  });
  onTestFinished(async () => {
    await controlPlane.stop();
    await proxy.close();
  });
  keepWalGrowing(join(disk.folder, 'partway.db'));
  return controlPlane;
}

/**
 * While a connection reads a state in the WAL, SQLite cannot overwrite what it has copied, so every commit needs room on the disk. The WAL
 * is emptied first, so that it has no room to reuse, and then written to, so that the reader's state is in it.
 */
function keepWalGrowing(database: string): void {
  const reader = openSqliteDatabase(database);
  reader.exec('PRAGMA wal_checkpoint(TRUNCATE); CREATE TABLE held (row); BEGIN; SELECT COUNT(*) FROM upload_sessions');
  onTestFinished(() => void reader.close());
}

/** Opens a session of a small file, and stores its only part. */
async function openSmall(api: ControlPlane, fileName: string): Promise<Session> {
  const { session } = await api.create({ fileName, size: SMALL.length });
  const checksums = { 1: checksumOf(SMALL) };
  const { parts } = await api.presign(session.sessionId, { partNumbers: [1], checksums });
  expect((await sendRequest('PUT', parts[0]?.url ?? '', parts[0]?.headers ?? {}, SMALL)).status).toBe(200);
  return session;
}

function aTemporaryFolder(): string {
  const created = mkdtempSync(join(tmpdir(), 'partway-read-only-'));
  onTestFinished(() => {
    chmodSync(created, 0o700);
    rmSync(created, { recursive: true });
  });
  return created;
}

async function aDatabase(where: string): Promise<string> {
  const database = join(where, 'partway.db');
  await openSqliteStore(database).close();
  return database;
}

async function serve(
  database: string,
  identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {},
): Promise<CliResult> {
  const { child, finished } = startCli(['serve'], {
    server: '',
    token: 'pw_of-a-server-that-never-starts',
    ...identity,
    env: {
      PARTWAY_PORT: String(await freePort()),
      PARTWAY_DATABASE_URL: database,
      PARTWAY_AUDIT_LOG: 'off',
      PARTWAY_S3_ENDPOINT: sharedMinio().endpoint,
      PARTWAY_S3_BUCKET: 'uploads',
      PARTWAY_S3_ACCESS_KEY_ID: 'nobody',
      PARTWAY_S3_SECRET_ACCESS_KEY: 'never-asked',
    },
  });
  // A server that starts against all expectation would stay.
  onTestFinished(() => void child.kill('SIGKILL'));
  return finished;
}

/** @param code 2 if a supervisor should not start the server again. */
function expectRefusedStart({ exitCode, stdout, stderr }: CliResult, code: 1 | 2, ...messages: readonly string[]): void {
  expect(exitCode, stderr).toBe(code);
  for (const words of [...messages, 'Let this user write', 'mounted read-only']) expect(stderr).toContain(words);
  expect(stdout).toBe('');
}
