import { copyFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { runCli, startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { type ByteProxy, startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const SIZE = 60 * MiB;
/** Slow enough that no upload ends while a test breaks the database and restores it, and fast enough that parts do. */
const SLOW_BYTES_PER_SECOND = MiB;

let files: string;
beforeAll(async () => {
  files = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
  await ensureGeneratedFile(join(files, 'film.mp4'), SIZE);
});
afterAll(() => rmSync(files, { recursive: true, force: true }));

let folder: string;
let database: string;
let bucket: string;
let proxy: ByteProxy;
let controlPlane: ControlPlaneProcess;
let api: ControlPlane;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'partway-database-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  database = join(folder, 'partway.db');
  bucket = await createTestBucket();
  proxy = await startByteProxy(sharedMinio().endpoint, { bytesPerSecond: 8 * MiB });
  onTestFinished(() => proxy.close());
  controlPlane = await startControlPlane({
    store: sharedMinio(),
    bucket,
    publicEndpoint: proxy.url,
    env: { PARTWAY_DATABASE_URL: database },
  });
  onTestFinished(() => controlPlane.stop());
  api = new ControlPlane(controlPlane);
});

/** Runs a command on the server's host, beside the server. */
const onServer = (...args: string[]) => runCli(args, { ...controlPlane, env: { PARTWAY_DATABASE_URL: database } });

/** Creates another database, with which a test overwrites that of the server. */
async function anotherDatabase(): Promise<string> {
  const other = join(folder, 'other.db');
  await openSqliteStore(other).close();
  return other;
}

describe.each<[string, RegExp, () => Promise<void>]>([
  ['deleted', /was deleted or moved/, async () => rmSync(database)],
  ['replaced', /was replaced/, async () => renameSync(await anotherDatabase(), database)],
  ['truncated', /was truncated/, async () => truncateSync(database, 0)],
  ['overwritten', /was overwritten/, async () => copyFileSync(await anotherDatabase(), database)],
])('a database that is %s under the server', (_, text, happen) => {
  it('makes the server refuse everything within seconds, with the reason; after a restore of the backup, a waiting upload goes on', async () => {
    const flags = ['--strategy', 'multipart', '--part-size', '5MiB', '--concurrency', '1', '--json'];
    const cli = startCli(['upload', 'film.mp4', ...flags], { ...controlPlane, cwd: files });
    onTestFinished(() => void cli.child.kill('SIGKILL'));
    await cli.event(({ type }) => type === 'part');
    proxy.bytesPerSecond = SLOW_BYTES_PER_SECOND;
    const backup = join(folder, 'backup.db');
    expect((await onServer('backup', backup)).exitCode).toBe(0);

    await happen();

    await expect
      .poll(() => api.readiness(), { timeout: 60_000 })
      .toMatchObject({
        ready: false,
        checks: { database: { ok: false, code: 'STORE_UNAVAILABLE', detail: expect.stringMatching(text) }, bucket: { ok: true } },
      });
    const refused = { code: 'STORE_UNAVAILABLE', detail: expect.stringMatching(text) };
    await expect(api.create({ fileName: 'another', size: 1 })).rejects.toMatchObject(refused);
    await expect(api.list()).rejects.toMatchObject(refused);
    const waiting = await cli.event(({ type, refuses }) => type === 'offline' && refuses === true);
    expect(waiting).toMatchObject({ what: 'the partway server', reason: expect.stringMatching(text) });

    await controlPlane.end();
    expect(controlPlane.describeEnd()).toContain('exit code 1');
    for (const name of ['partway.db', 'partway.db-wal', 'partway.db-shm']) rmSync(join(folder, name), { force: true });
    copyFileSync(backup, database);
    await controlPlane.restart();
    proxy.bytesPerSecond = undefined;

    const result = await cli.finished;
    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE });
    expect(await hashOfObject(sharedMinio(), bucket, 'film.mp4')).toBe(await hashOfFile(join(files, 'film.mp4')));
  });
});

it('a second server on the same database does not start and says why, while commands on the host work beside the first one', async () => {
  const link = join(folder, 'link.db');
  symlinkSync(database, link);
  const { session } = await api.create({ fileName: 'small', size: 3 });

  for (const at of [database, link]) {
    const second = startCli(['serve'], { ...controlPlane, env: await settingsOfServer(at) });
    onTestFinished(() => void second.child.kill('SIGKILL'));
    const { exitCode, stdout, stderr } = await second.finished;
    expect(exitCode, stderr).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('Another partway server has the database');
    expect(stderr).toContain('Stop that one first');
  }

  expect((await onServer('token', 'create', '--name', 'camera', '--scope', 'upload')).exitCode).toBe(0);
  expect((await onServer('token', 'list')).stdout).toContain('camera');
  expect((await onServer('backup', join(folder, 'backup.db'))).exitCode).toBe(0);
  expect((await onServer('sweep', '--dry-run')).exitCode).toBe(0);
  expect((await onServer('events', 'list')).exitCode).toBe(0);
  expect(await api.get(session.sessionId)).toMatchObject({ status: 'open' });
});

it('after a kill -9 the server starts again at once, with everything that it had recorded', async () => {
  const { session } = await api.create({ fileName: 'small', size: 3 });
  for (let kill = 0; kill < 3; kill++) {
    await controlPlane.kill();
    await controlPlane.restart();
    expect(await api.get(session.sessionId)).toMatchObject({ status: 'open' });
  }
});

async function settingsOfServer(at: string): Promise<Record<string, string>> {
  const { endpoint, accessKeyId, secretAccessKey } = sharedMinio();
  return {
    PARTWAY_PORT: String(await freePort()),
    PARTWAY_DATABASE_URL: at,
    PARTWAY_AUDIT_LOG: 'off',
    PARTWAY_S3_ENDPOINT: endpoint,
    PARTWAY_S3_BUCKET: bucket,
    PARTWAY_S3_ACCESS_KEY_ID: accessKeyId,
    PARTWAY_S3_SECRET_ACCESS_KEY: secretAccessKey,
  };
}
