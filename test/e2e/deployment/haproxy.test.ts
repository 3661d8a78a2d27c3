import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Progress, Session } from '../../../src/contract/wire.ts';
import { findOnPath } from '../../../src/dev/minio/find-on-path.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { answersOk, startServerProcess, untilReady } from '../../../src/dev/process/server-process.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import type { AuditLine } from '../../../src/server/audit/event.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { createTestDatabase, needsPostgres } from '../../support/database/postgres.ts';
import { startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { skipBecause } from '../../support/skip-because.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const CONFIGURATION = resolve('deploy/haproxy.cfg');
const TOKEN = 'the-token-behind-the-balancer';
const SIZE = 96 * MiB;
/** Addresses of this host, all from 127.0.0.0/8. Replicas trust only the first one as a proxy. */
const [BALANCER_ADDRESS, CLIENT_ADDRESS, CLAIMED_ADDRESS] = ['127.0.0.1', '127.0.0.3', '203.0.113.9'];

const haproxy = await findOnPath('haproxy');

describe('the balancer of compose.yaml, in front of two replicas', () => {
  needsPostgres();

  let folder: string;
  beforeEach(({ task, skip }) => {
    if (haproxy === undefined) skipBecause({ task, skip }, 'HAProxy is not installed (haproxy on PATH)');
    folder = mkdtempSync(join(tmpdir(), 'partway-haproxy-'));
    return () => rmSync(folder, { recursive: true, force: true });
  });
  const auditLog = (no: number) => join(folder, `audit-${no}.jsonl`);

  async function startReplicas(publicEndpoint: string): Promise<{ bucket: string; replicas: ControlPlaneProcess[] }> {
    const bucket = await createTestBucket();
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const start = (no: number) =>
      startControlPlane({
        store: sharedMinio(),
        bucket,
        publicEndpoint,
        env: {
          PARTWAY_DATABASE_URL: database.url,
          PARTWAY_TOKEN: TOKEN,
          PARTWAY_AUDIT_LOG: auditLog(no),
          PARTWAY_TRUSTED_PROXIES: BALANCER_ADDRESS,
          PARTWAY_DRAIN_DELAY: '5s',
        },
      });
    const replicas = await Promise.all([start(1), start(2)]);
    onTestFinished(async () => void (await Promise.all(replicas.map((replica) => replica.stop()))));
    return { bucket, replicas };
  }

  async function startHaproxy(replicas: readonly ControlPlaneProcess[]): Promise<string> {
    const bind = `127.0.0.1:${await freePort()}`;
    const [one, two] = replicas.map(({ server }) => new URL(server).host);
    const env = { PARTWAY_BALANCER_BIND: bind, PARTWAY_REPLICA_1: one, PARTWAY_REPLICA_2: two };
    const args = ['-db', '-f', CONFIGURATION];
    const running = startServerProcess({ name: 'HAProxy', command: haproxy ?? '', args, env, secrets: [] });
    onTestFinished(() => running.stop());
    await untilReady(running, () => answersOk(`http://${bind}/readyz`));
    return `http://${bind}`;
  }

  it('hides from an upload and its watcher that one replica is killed -9 and restarted, and that the other one is then stopped', async () => {
    const link = await startByteProxy(sharedMinio().endpoint, { bytesPerSecond: 4 * MiB });
    onTestFinished(() => link.close());
    const { bucket, replicas } = await startReplicas(link.url);
    const server = await startHaproxy(replicas);
    const file = join(folder, 'film.mp4');
    await ensureGeneratedFile(file, SIZE);

    const cli = startCli(['upload', 'film.mp4', '--strategy', 'multipart', '--json'], { server, token: TOKEN, cwd: folder });
    const { session } = (await cli.event((event) => event.type === 'session')) as unknown as { session: Session };
    const watched = watchAcrossReconnects(server, session.sessionId);
    let parts = 0;
    await cli.event((event) => event.type === 'part' && ++parts >= 3);
    await replicas[0]?.kill();
    await cli.event((event) => event.type === 'part' && ++parts >= 6);
    await replicas[0]?.restart();
    // Gives the balancer time to notice that the first replica is back.
    await pause(3_000);
    await replicas[1]?.stop();
    const result = await cli.finished;

    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE });
    expect(await hashOfObject(sharedMinio(), bucket, 'film.mp4')).toBe(await hashOfFile(file));
    const { progress, opened } = await watched;
    expect(progress.at(-1)).toMatchObject({ status: 'completed' });
    // Progress arrived continuously, and not in one batch at the end.
    expect(new Set(progress.map(({ storedBytes }) => storedBytes)).size).toBeGreaterThan(4);
    expect(opened).toBeGreaterThan(1);
  });

  it('tells the replicas the address of a client, whatever the client claims', async () => {
    const { replicas } = await startReplicas(sharedMinio().endpoint);
    const server = await startHaproxy(replicas);
    const status = await new Promise((answered, failed) => {
      const headers = { authorization: 'Bearer a-token-that-nobody-has', 'x-forwarded-for': CLAIMED_ADDRESS };
      request(`${server}/api/uploads`, { headers, localAddress: CLIENT_ADDRESS }, (response) => {
        response.resume();
        answered(response.statusCode);
      })
        .on('error', failed)
        .end();
    });

    expect(status).toBe(401);
    const lines = [1, 2].flatMap((no) => readFileSync(auditLog(no), 'utf8').split('\n').filter(Boolean));
    const refused = lines.map((line) => JSON.parse(line) as AuditLine).filter(({ event }) => event === 'refused');
    expect(refused.map(({ address }) => address)).toEqual([CLIENT_ADDRESS]);
  });
});

/** Watches the progress as an EventSource does: reopens the stream whenever it ends before the session does. */
async function watchAcrossReconnects(server: string, sessionId: string): Promise<{ progress: Progress[]; opened: number }> {
  const progress: Progress[] = [];
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${TOKEN}` };
  for (let opened = 1; ; opened++) {
    try {
      const { ok, body } = await fetch(`${server}/api/uploads/${sessionId}/progress`, { headers });
      if (!ok || body === null) throw new Error('there is no stream');
      for await (const line of createInterface({ input: Readable.fromWeb(body as WebStream) }))
        if (line.startsWith('data: {')) progress.push(JSON.parse(line.slice('data: '.length)) as Progress);
    } catch {
      // The stream broke off.
    }
    if (progress.at(-1)?.status === 'completed') return { progress, opened };
    await pause(200);
  }
}
