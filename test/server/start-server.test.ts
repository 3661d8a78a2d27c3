import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Logger, pino } from 'pino';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { PresignResponse, Progress, Session } from '../../src/contract/wire.ts';
import { freePort, isPortFree } from '../../src/dev/process/free-port.ts';
import { type RunningServer, startServer } from '../../src/server/start-server.ts';
import { openSqliteDatabase } from '../../src/session-store/sqlite/driver.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { checksumOf } from '../suites/object-store.ts';
import { sendRequest } from '../support/network/send-request.ts';
import { readProblem } from '../support/server/control-plane.ts';
import { collectLog, serverConfig } from '../support/server/real-server.ts';
import { createTestBucket } from '../support/store/minio.ts';
import { readObject } from '../support/store/s3-stores.ts';
import { startTurnClock } from '../support/time/turn-clock.ts';

const TOKEN = 'the-token-of-the-server-tests';
/** Far below the 10 s that requests under way get, and the 5 s that Node keeps an idle connection. */
const QUICKLY_MS = 2_000;

let bucket: string;
let database: string;
beforeEach(async () => {
  bucket = await createTestBucket();
  const folder = mkdtempSync(join(tmpdir(), 'partway-server-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  database = join(folder, 'partway.db');
});

interface StartOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly log?: Logger;
  readonly onFirstToken?: (token: string) => void;
}

async function start({
  env = {},
  log = pino({ level: 'silent' }),
  onFirstToken = () => {},
}: StartOptions = {}): Promise<RunningServer> {
  const config = serverConfig(bucket, { PARTWAY_TOKEN: TOKEN, PARTWAY_DATABASE_URL: database, ...env });
  const server = await startServer(config, log, onFirstToken);
  onTestFinished(() => server.stop());
  return server;
}

function send(server: RunningServer, method: string, path: string, body?: object, token = TOKEN): Promise<Response> {
  return fetch(server.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function ask<Answer>(server: RunningServer, method: string, path: string, body?: object): Promise<Answer> {
  const response = await send(server, method, path, body);
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

const aSession = (server: RunningServer, size = 3) =>
  ask<Session>(server, 'POST', '/api/uploads', { fileName: 'notes.txt', size });

/** A watcher whose connection would be kept for a next request, as those of browsers and proxies are. */
async function watch(server: RunningServer, sessionId: string): Promise<IncomingMessage> {
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  const headers = { authorization: `Bearer ${TOKEN}`, accept: 'text/event-stream' };
  return new Promise((resolve, reject) => {
    get(`${server.url}/api/uploads/${sessionId}/progress`, { agent, headers }, resolve).on('error', reject);
  });
}

async function expectToStopQuickly(server: RunningServer): Promise<void> {
  const elapsedMs = startTurnClock();
  await server.stop();
  expect(elapsedMs()).toBeLessThan(QUICKLY_MS);
}

describe('an upload through a running server', () => {
  it('is completed after its part was put to the presigned URL, and the object is the file', async () => {
    const server = await start();
    const file = Buffer.from('straight to the store');
    const { sessionId } = await aSession(server, file.length);
    const { parts } = await ask<PresignResponse>(server, 'POST', `/api/uploads/${sessionId}/parts/presign`, {
      partNumbers: [1],
      checksums: { 1: checksumOf(file) },
    });
    const [part] = parts;
    expect(await sendRequest('PUT', String(part?.url), part?.headers, file)).toMatchObject({ status: 200 });
    const session = await ask<Session>(server, 'POST', `/api/uploads/${sessionId}/complete`, { checksum: checksumOf(file) });
    expect(session).toMatchObject({ status: 'completed', size: file.length, checksum: checksumOf(file) });
    expect(file.equals(await readObject(bucket, 'notes.txt'))).toBe(true);
  });

  it('goes on after the server was stopped and started again on the same database', async () => {
    const before = await start();
    const { sessionId } = await aSession(before);
    await before.stop();
    const after = await start();
    expect(await ask(after, 'GET', `/api/uploads/${sessionId}`)).toMatchObject({ sessionId, status: 'open' });
  });
});

it('a server does not start if the AWS SDK signs part URLs of its store differently, and opens no database', async () => {
  await expect(start({ env: { PARTWAY_S3_REGION: 'aws-global' } })).rejects.toMatchObject({
    name: 'ConfigError',
    faults: [
      expect.stringMatching(/PARTWAY_S3_REGION .*sign the same part URL differently: X-Amz-Credential, X-Amz-Signature\. Check/),
    ],
  });

  expect(existsSync(database)).toBe(false);
});

describe('the first token', () => {
  it('is in the audit log like every other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'partway-first-token-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const audit = join(folder, 'audit.jsonl');
    await start({ env: { PARTWAY_TOKEN: undefined, PARTWAY_AUDIT_LOG: audit }, onFirstToken: () => {} });
    expect(readFileSync(audit, 'utf8')).toContain('"event":"token-created"');
  });

  it('is shown once, still works after the next start, and is never in the log', async () => {
    const shown: string[] = [];
    const { log, text } = collectLog();
    const options = { env: { PARTWAY_TOKEN: undefined }, log, onFirstToken: (token: string) => shown.push(token) };

    const first = await start(options);
    expect(shown).toEqual([expect.stringMatching(/^pw_[\w-]{32}$/)]);
    const token = String(shown[0]);
    expect((await send(first, 'GET', '/api/uploads', undefined, token)).status).toBe(200);
    await first.stop();

    const second = await start(options);
    expect(shown).toHaveLength(1);
    expect((await send(second, 'GET', '/api/uploads', undefined, token)).status).toBe(200);
    expect(text()).toContain('/api/uploads');
    expect(text().includes(token), 'the log shows the token').toBe(false);
  });

  it('that cannot be recorded is not shown, and the unusable server stops', async () => {
    await openSqliteStore(database).close();
    const db = openSqliteDatabase(database);
    db.exec("CREATE TRIGGER fault BEFORE INSERT ON tokens BEGIN SELECT RAISE(ABORT, 'injected fault'); END");
    db.close();
    const port = await freePort();
    const shown: string[] = [];
    const env = { PARTWAY_TOKEN: undefined, PARTWAY_PORT: String(port) };

    await expect(start({ env, onFirstToken: (token) => shown.push(token) })).rejects.toThrow('injected fault');

    expect(shown).toEqual([]);
    expect(await isPortFree(port)).toBe(true);
    expect(existsSync(`${database}-wal`)).toBe(false);
  });

  it('is not made where the environment names one', async () => {
    const shown: string[] = [];
    const server = await start({ onFirstToken: (token) => shown.push(token) });
    expect(shown).toEqual([]);
    expect((await send(server, 'GET', '/api/uploads')).status).toBe(200);
  });
});

describe('readiness', () => {
  it('is given while database and bucket work', async () => {
    const response = await fetch(`${(await start()).url}/readyz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      ready: true,
      checks: { database: { ok: true }, bucket: { ok: true }, signing: { ok: true }, forgedWrites: { ok: true } },
    });
  });

  it('is refused with the reason as a problem document for a missing bucket, while the process is healthy', async () => {
    const server = await start({ env: { PARTWAY_S3_BUCKET: 'no-such-bucket-of-the-server-tests' } });
    const response = await fetch(`${server.url}/readyz`);
    expect(response.status).toBe(502);
    expect(await readProblem(response)).toMatchObject({
      code: 'BUCKET_NOT_FOUND',
      ready: false,
      checks: { database: { ok: true }, bucket: { ok: false, code: 'BUCKET_NOT_FOUND' } },
    });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});

describe('stopping', () => {
  it('ends an open stream of progress and frees the port, quickly', async () => {
    const server = await start();
    const { sessionId } = await aSession(server);
    const stream = await watch(server, sessionId);
    let received = '';
    const ended = new Promise<void>((resolve, reject) => {
      stream.on('end', resolve).on('error', reject);
    });
    await new Promise<void>((resolve) => {
      stream.on('data', (chunk: Buffer) => {
        received += chunk.toString();
        if (received.includes('\n\n')) resolve();
      });
    });
    expect(JSON.parse(String(/^data: (.*)$/m.exec(received)?.[1]))).toMatchObject({ sessionId, status: 'open' } as Progress);

    await expectToStopQuickly(server);
    await ended;
    expect(await isPortFree(Number(new URL(server.url).port))).toBe(true);
  });

  it('does not wait for connections that are kept without a request', async () => {
    const server = await start();
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    await new Promise<void>((resolve, reject) => {
      get(`${server.url}/healthz`, { agent }, (answer) => answer.resume().on('end', resolve)).on('error', reject);
    });
    await expectToStopQuickly(server);
  });

  it('may be requested twice, and closes the database', async () => {
    const server = await start();
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
    // SQLite removes this file when the last connection closes.
    expect(existsSync(`${database}-wal`)).toBe(false);
  });
});

describe('draining', () => {
  it('goes on for the drain delay, while /readyz tells balancers to look away', async () => {
    const server = await start({ env: { PARTWAY_DRAIN_DELAY: '3s' } });
    const { sessionId } = await aSession(server);
    const stream = await watch(server, sessionId);
    const streamed = text(stream);
    const startedAt = performance.now();
    const stopping = server.stop();

    expect(await readProblem(await fetch(`${server.url}/readyz`))).toMatchObject({ status: 503, code: 'STOPPING', ready: false });
    // A new connection, new work, and the stream is still open.
    expect(await aSession(server)).toMatchObject({ status: 'open' });
    expect(stream.complete).toBe(false);

    await stopping;
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(2_990);
    expect(await streamed).toMatch(/\n\nevent: reconnect\ndata: .*\nretry: 1000\n\n$/);
    await expect(fetch(`${server.url}/readyz`)).rejects.toThrow();
  });
});

describe('metrics', () => {
  it('count what a running server, its object store and its sweeper do', async () => {
    const server = await start();
    const { sessionId } = await aSession(server);
    await ask(server, 'POST', `/api/uploads/${sessionId}/parts/presign`, { partNumbers: [1] });
    const report = { clientId: 'c', parts: [{ partNumber: 1, etag: '"e"' }] };
    await ask(server, 'POST', `/api/uploads/${sessionId}/report`, report);
    await fetch(`${server.url}/api/uploads`, { headers: { authorization: 'Bearer a-token-of-nobody' } });
    await fetch(server.url, { headers: { 'x-large': 'x'.repeat(20_000) } });
    const metrics = await (await send(server, 'GET', '/metrics')).text();
    for (const line of [
      'partway_sessions{status="open"} 1',
      'partway_session_events_total{event="created"} 1',
      'partway_presigned_urls_total 1',
      'partway_reported_bytes_total 3',
      'partway_object_store_calls_total{operation="createMultipartUpload",outcome="ok"} 1',
      'partway_problems_total{code="UNAUTHORIZED"} 1',
      'partway_problems_total{code="HEADERS_TOO_LARGE"} 1',
      'partway_sweeps_total{outcome="ok"} 1',
    ]) {
      expect(metrics.split('\n')).toContain(line);
    }
    expect(metrics).toMatch(/^partway_event_loop_delay_seconds\{quantile="0.99"\} \d/m);
    expect(metrics).toMatch(/^process_cpu_seconds_total \d/m);
  });
});

describe('a server that cannot start', () => {
  it('says which port is taken and what to do, and leaves no database open', async () => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const starting = start({ env: { PARTWAY_PORT: String(port) } });
    await expect(starting).rejects.toThrow(new RegExp(`^Port ${port} on 127\\.0\\.0\\.1 is in use.*PARTWAY_PORT`));
    expect(existsSync(`${database}-wal`)).toBe(false);
  });

  it('says that a database cannot be opened', async () => {
    const folder = join(database, '..');
    await expect(start({ env: { PARTWAY_DATABASE_URL: folder } })).rejects.toThrow(`The database ${folder} cannot be opened`);
  });
});
