import { chmodSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { openSqliteDatabase } from '../../../src/session-store/sqlite/driver.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { startCli } from '../../support/client/partway-cli.ts';
import { aFolder } from '../../support/client/sources.ts';
import { createEmptyDatabase, needsPostgres } from '../../support/database/postgres.ts';
import { mountSmallDisk } from '../../support/files/full-disk.ts';
import { startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { readProblem } from '../../support/server/control-plane.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

const TOKEN = 'the-token-of-a-late-database';
const NOBODY = 65_534;

/** Starts `partway serve` on a database, with a separate home folder. */
async function serve(database: string, more: Record<string, string> = {}, identity: { uid?: number; gid?: number } = {}) {
  const { endpoint, accessKeyId, secretAccessKey } = sharedMinio();
  const folder = await aFolder();
  const running = startCli(['serve'], {
    server: '',
    token: TOKEN,
    ...identity,
    env: {
      PARTWAY_PORT: '0',
      PARTWAY_DATABASE_URL: database,
      PARTWAY_AUDIT_LOG: 'off',
      PARTWAY_S3_ENDPOINT: endpoint,
      PARTWAY_S3_BUCKET: await createTestBucket(),
      PARTWAY_S3_ACCESS_KEY_ID: accessKeyId,
      PARTWAY_S3_SECRET_ACCESS_KEY: secretAccessKey,
      XDG_DATA_HOME: folder,
      ...more,
    },
  });
  onTestFinished(() => void running.child.kill('SIGKILL'));
  return { ...running, folder };
}

type Running = Awaited<ReturnType<typeof serve>>;

async function urlOf({ event }: Running): Promise<string> {
  return String((await event(({ msg }) => msg === 'listening')).url);
}

const ask = (url: string, path: string, init: RequestInit = {}) =>
  fetch(url + path, { ...init, headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' } });
const create = (url: string) =>
  ask(url, '/api/uploads', { method: 'POST', body: JSON.stringify({ fileName: 'late.mov', size: 3 }) });

async function expectWaiting(url: string): Promise<void> {
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(await readProblem(await fetch(`${url}/readyz`))).toMatchObject({
    status: 503,
    code: 'STORE_UNAVAILABLE',
    checks: { database: { ok: false, code: 'STORE_UNAVAILABLE' }, bucket: { ok: true } },
  });
  const refused = await create(url);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await readProblem(refused)).toMatchObject({
    status: 503,
    code: 'STORE_UNAVAILABLE',
    detail: expect.stringContaining("The server's database"),
  });
}

async function expectServing({ event }: Running, url: string): Promise<void> {
  await event(({ msg }) => String(msg).startsWith('ready:'));
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect((await create(url)).status).toBe(201);
}

/** Creates an empty database behind a port at which nothing listens until it arrives. */
async function aLateDatabase() {
  const database = await createEmptyDatabase();
  onTestFinished(() => database.drop());
  const port = await freePort();
  const { host } = new URL(database.url);
  return {
    url: Object.assign(new URL(database.url), { port: String(port) }).href,
    async arrive() {
      const relay = await startByteProxy(`http://${host}`, { port });
      onTestFinished(() => relay.close());
    },
  };
}

describe('partway serve before its PostgreSQL', () => {
  needsPostgres();

  it('listens, says in one line what it waits for, and starts to serve by itself once the database is up', async () => {
    const database = await aLateDatabase();

    const server = await serve(database.url);
    const at = await urlOf(server);
    const line = await server.event(({ check }) => check === 'database');
    expect(line.msg).toMatch(/^not ready: the database cannot be used; .*ECONNREFUSED.*PARTWAY_DATABASE_URL/);
    await expectWaiting(at);

    await database.arrive();
    await expectServing(server, at);

    server.child.kill('SIGTERM');
    const { exitCode, stdout, stderr } = await server.finished;
    expect(exitCode, stderr).toBe(0);
    expect(stdout.match(/"not ready: the database/g)).toHaveLength(1);
    expect(stdout + stderr).not.toContain(new URL(database.url).password);
  }, 60_000);

  it('creates its first token once the database is up, and not before', async () => {
    const database = await aLateDatabase();

    const server = await serve(database.url, { PARTWAY_TOKEN: undefined } as never);
    await urlOf(server);
    await server.event(({ check }) => check === 'database');
    const path = join(server.folder, 'partway', 'first-token');
    expect(existsSync(path)).toBe(false);
    await database.arrive();
    expect((await server.event((line) => line.path === path)).msg).toContain('first token');
    expect(existsSync(path)).toBe(true);
  }, 60_000);

  it('ends on SIGTERM while it still waits', async () => {
    const server = await serve(`postgres://partway:secret@127.0.0.1:${await freePort()}/partway`);
    await urlOf(server);
    server.child.kill('SIGTERM');
    const { exitCode, stderr } = await server.finished;
    expect(exitCode, stderr).toBe(0);
  }, 60_000);

  it('ends at once if another problem keeps it from starting', async () => {
    const database = `postgres://partway:secret@127.0.0.1:${await freePort()}/partway`;
    const { exitCode, stderr } = await (await serve(database, { PARTWAY_AUDIT_LOG: '/dev/null/audit.jsonl' })).finished;
    expect(exitCode, stderr).toBe(1);
    expect(stderr).toContain('The audit log /dev/null/audit.jsonl cannot be opened');
  }, 60_000);

  it('ends with 2 if the database comes up without a token and other hosts could connect', async () => {
    const database = await aLateDatabase();
    const server = await serve(database.url, { PARTWAY_TOKEN: undefined, PARTWAY_HOST: '0.0.0.0' } as never);
    await urlOf(server);
    await database.arrive();
    const { exitCode, stderr } = await server.finished;
    expect(exitCode, stderr).toBe(2);
    expect(stderr).toContain('partway token create');
  }, 60_000);

  it('ends with 2 if PostgreSQL answers and refuses the settings', async () => {
    const database = await createEmptyDatabase();
    onTestFinished(() => database.drop());
    const { exitCode, stderr, stdout } = await (await serve(Object.assign(new URL(database.url), { password: 'wrong' }).href))
      .finished;
    expect(exitCode, stderr).toBe(2);
    expect(stderr).toContain('password authentication failed');
    expect(stdout).toBe('');
  }, 60_000);
});

describe('partway serve on a SQLite file', () => {
  it('that another program has locked waits for the lock, and answers meanwhile', async () => {
    const path = join(await aFolder(), 'partway.db');
    await openSqliteStore(path).close();
    const other = openSqliteDatabase(path);
    other.exec('BEGIN EXCLUSIVE');

    const server = await serve(path);
    const at = await urlOf(server);
    expect((await server.event(({ check }) => check === 'database')).msg).toContain('database is locked');
    await expectWaiting(at);
    other.exec('COMMIT');
    other.close();
    await expectServing(server, at);
  }, 60_000);

  it('on a full disk waits for room', async (context) => {
    const disk = await mountSmallDisk(context);
    await disk.fill(0);
    const server = await serve(join(disk.folder, 'partway.db'));
    const at = await urlOf(server);
    expect((await server.event(({ check }) => check === 'database')).msg).toContain('Make room on its disk');
    await expectWaiting(at);
    await disk.makeRoom(0);
    await expectServing(server, at);
    server.child.kill('SIGTERM');
    expect((await server.finished).exitCode).toBe(0);
  }, 60_000);

  it('that a newer partway has used ends with 2', async () => {
    const path = join(await aFolder(), 'partway.db');
    await openSqliteStore(path).close();
    const db = openSqliteDatabase(path);
    db.exec("INSERT INTO schema_migrations VALUES ((SELECT MAX(number) + 1 FROM schema_migrations), 'of_tomorrow', 0)");
    db.close();
    const { exitCode, stderr } = await (await serve(path)).finished;
    expect(exitCode, stderr).toBe(2);
    expect(stderr).toContain('A newer partway has used it');
  }, 60_000);

  it('in a folder that it may not write to ends with 2', async () => {
    const folder = await aFolder();
    chmodSync(folder, 0o555);
    onTestFinished(() => {
      chmodSync(folder, 0o755);
      rmSync(folder, { recursive: true, force: true });
    });
    const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
    const { exitCode, stderr } = await (await serve(join(folder, 'partway.db'), {}, identity)).finished;
    expect(exitCode, stderr).toBe(2);
    expect(stderr).toContain('EACCES');
  }, 60_000);
});
