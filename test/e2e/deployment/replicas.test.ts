import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { crc32 } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bytesSource, ControlPlane, openUpload } from '../../../src/client/index.ts';
import type { Progress } from '../../../src/contract/wire.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { createTestDatabase, needsPostgres } from '../../support/database/postgres.ts';
import { startBalancer } from '../../support/proxies/balancer.ts';
import { startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const TOKEN = 'the-token-of-both-replicas';
const SIZE = 96 * MiB;

describe('two servers on one PostgreSQL database', () => {
  needsPostgres();

  async function startReplicas(
    publicEndpoint?: string,
  ): Promise<{ bucket: string; one: ControlPlaneProcess; two: ControlPlaneProcess }> {
    const bucket = await createTestBucket();
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const env = { PARTWAY_DATABASE_URL: database.url, PARTWAY_TOKEN: TOKEN, PARTWAY_AUDIT_LOG: 'off' };
    const start = () =>
      startControlPlane({ store: sharedMinio(), bucket, env, ...(publicEndpoint === undefined ? {} : { publicEndpoint }) });
    const [one, two] = await Promise.all([start(), start()]);
    onTestFinished(async () => void (await Promise.all([one.stop(), two.stop()])));
    return { bucket, one, two };
  }

  it('act as one to their clients: sessions, parts and progress are the same at both', async () => {
    const { bucket, one, two } = await startReplicas();
    const [atOne, atTwo] = [new ControlPlane(one), new ControlPlane(two)];
    const bytes = Buffer.from('a small file');
    const source = bytesSource(bytes, 'small.txt');
    const opened = await Promise.all([atOne, atTwo].map((controlPlane) => openUpload({ controlPlane, source })));
    const [sessionId = '', ...others] = new Set(opened.map(({ session }) => session.sessionId));
    expect(others).toStrictEqual([]);

    const watching = progressUntilEnd(two, sessionId);
    const { parts } = await atOne.presign(sessionId, { partNumbers: [1], checksums: { 1: encodeCrc32(crc32(bytes)) } });
    const { url = '', headers = {} } = parts[0] ?? {};
    const etag = (await fetch(url, { method: 'PUT', headers, body: bytes })).headers.get('etag') ?? '';
    await atOne.report(sessionId, { clientId: 'client', parts: [{ partNumber: 1, etag }], inFlightBytes: 0, bytesPerSecond: 0 });
    await watching.until(({ storedBytes }) => storedBytes === bytes.length);
    await atOne.complete(sessionId, {});

    expect((await watching.last).status).toBe('completed');
    expect(await atTwo.object(sessionId)).toMatchObject({ bucket, size: bytes.length });
  });

  it('finish an upload whose requests go to both, although one is killed -9 during the upload', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'film.mp4');
    await ensureGeneratedFile(file, SIZE);
    const link = await startByteProxy(sharedMinio().endpoint, { bytesPerSecond: 12 * MiB });
    onTestFinished(() => link.close());
    const { bucket, one, two } = await startReplicas(link.url);
    const balancer = await startBalancer([one.server, two.server]);
    onTestFinished(() => balancer.close());

    const cli = startCli(['upload', 'film.mp4', '--strategy', 'multipart', '--json'], {
      server: balancer.url,
      token: TOKEN,
      cwd: folder,
    });
    let parts = 0;
    await cli.event((event) => event.type === 'part' && ++parts >= 4);
    expect(new Set(balancer.answeredBy)).toStrictEqual(new Set([0, 1]));
    await one.kill();
    const answeredBefore = balancer.answeredBy.length;
    const result = await cli.finished;

    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE });
    expect(new Set(balancer.answeredBy.slice(answeredBefore))).toStrictEqual(new Set([1]));
    expect(await hashOfObject(sharedMinio(), bucket, 'film.mp4')).toBe(await hashOfFile(file));
  });
});

/** Reads the live stream of a session from one server until the session ends. */
function progressUntilEnd({ server, token }: ControlPlaneProcess, sessionId: string) {
  const received: Progress[] = [];
  const waiting = new Set<() => void>();
  const last = (async () => {
    const headers = { accept: 'text/event-stream', authorization: `Bearer ${token}` };
    const { body } = await fetch(`${server}/api/uploads/${sessionId}/progress`, { headers });
    if (body === null) throw new Error('the stream has no body');
    for await (const line of createInterface({ input: Readable.fromWeb(body as WebStream) })) {
      if (!line.startsWith('data: ')) continue;
      received.push(JSON.parse(line.slice('data: '.length)) as Progress);
      for (const look of waiting) look();
    }
    const end = received.at(-1);
    if (end === undefined) throw new Error('the stream told nothing');
    return end;
  })();
  return {
    last,
    /** Resolves once a matching event has come; otherwise the time limit ends the test. */
    until(fits: (progress: Progress) => boolean): Promise<void> {
      return new Promise((resolve) => {
        const look = () => {
          if (received.some(fits)) resolve();
        };
        waiting.add(look);
        look();
      });
    },
  };
}
