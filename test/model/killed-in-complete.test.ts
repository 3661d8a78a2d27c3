import { readdir, rm, truncate } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ControlPlane } from '../../src/client/control-plane/control-plane.ts';
import type { EngineEvent } from '../../src/client/progress/events.ts';
import { bytesSource } from '../../src/client/source/byte-source.ts';
import { openUpload } from '../../src/client/transfer/open-upload.ts';
import { runUpload } from '../../src/client/transfer/upload.ts';
import type { PartsResponse } from '../../src/contract/wire.ts';
import { type RunningMinio, startMinio } from '../../src/dev/minio/minio.ts';
import { parseConfig } from '../../src/server/settings/config.ts';
import { startServer } from '../../src/server/start-server.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { partNumbersOf } from '../../src/session/part-ranges.ts';
import { seededBytes } from '../support/client/sources.ts';
import { startFaultProxy } from '../support/proxies/fault-proxy.ts';
import { losesAnswer } from '../support/proxies/faults.ts';
import { hashOfObject } from '../support/store/stored-bytes.ts';

const PART = 5 * MiB;
const PARTS = 4;
const TOKEN = 'the-token-of-these-tests';

/** Records the lists of parts that it receives. */
class ListeningControlPlane extends ControlPlane {
  readonly lists: PartsResponse[] = [];

  override async parts(sessionId: string, signal?: AbortSignal): Promise<PartsResponse> {
    const list = await super.parts(sessionId, signal);
    this.lists.push(list);
    return list;
  }
}

/** Runs an upload and kills MinIO this long after its Complete arrived. `meanwhile` may change the disk of the dead MinIO. */
async function uploadThrough(options: { killAfterMs: number; meanwhile?: (minio: RunningMinio) => Promise<void> }) {
  const minio = await startMinio({ log: () => {}, bucket: 'uploads' });
  const toStore = await startFaultProxy(minio.endpoint);
  const fromServer = await startFaultProxy(minio.endpoint);
  const server = await startServer(
    parseConfig({
      PARTWAY_PORT: '0',
      PARTWAY_TOKEN: TOKEN,
      PARTWAY_DATABASE_URL: ':memory:',
      PARTWAY_S3_ENDPOINT: fromServer.url,
      PARTWAY_S3_PUBLIC_ENDPOINT: toStore.url,
      PARTWAY_S3_REGION: minio.region,
      PARTWAY_S3_BUCKET: 'uploads',
      PARTWAY_S3_ACCESS_KEY_ID: minio.accessKeyId,
      PARTWAY_S3_SECRET_ACCESS_KEY: minio.secretAccessKey,
    }),
    pino({ level: 'silent' }),
    () => {},
  );
  onTestFinished(async () => {
    await server.stop();
    await Promise.all([toStore.close(), fromServer.close()]);
    await minio.stop();
  });

  let outage: Promise<void> | undefined;
  const goDown = async () => {
    if (options.killAfterMs > 0) await wait(options.killAfterMs);
    await minio.kill('SIGKILL');
    await options.meanwhile?.(minio);
    await minio.restart();
  };
  // Complete is the only POST that names an upload. Its answer is always lost, even if MinIO answers before the kill.
  fromServer.inject(
    losesAnswer,
    ({ method, uploadId }) => {
      if (method !== 'POST' || uploadId === undefined || outage !== undefined) return false;
      outage = goDown();
      return true;
    },
    { times: 1 },
  );

  const bytes = seededBytes(PARTS * PART - 1_000, options.killAfterMs + 1);
  const source = bytesSource(bytes, 'film.mp4');
  const controlPlane = new ListeningControlPlane({ server: server.url, token: TOKEN });
  const { session } = await openUpload({ controlPlane, source, request: { strategy: 'multipart', partSize: PART } });
  const events: EngineEvent[] = [];
  const result = await runUpload({ controlPlane, session, source, onEvent: (event) => events.push(event) });
  await outage;
  expect(outage).toBeDefined();
  expect(result).toMatchObject({ sessionId: session.sessionId, status: 'completed', bytes: bytes.length });
  expect(await hashOfObject(minio, 'uploads', 'film.mp4')).toBe(await hashOf(bytes));
  const sentAgain = toStore.puts.slice(PARTS).map(({ partNumber }) => partNumber);
  const missing = controlPlane.lists.slice(1).flatMap((list) => [...partNumbersOf(list.missing)]);
  expect([...sentAgain].sort(), 'what was sent again is what the store had lost').toEqual([...new Set(missing)].sort());
  return { sentAgain, lostBytes: events.flatMap((event) => (event.type === 'healed' ? [event.lostBytes] : [])) };
}

async function hashOf(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)).toString('hex');
}

/** Finds the files of this name in unfinished uploads. */
async function filesOfUploads({ dataDir }: RunningMinio, name: string): Promise<string[]> {
  const folder = join(String(dataDir), '.minio.sys', 'multipart');
  const entries = await readdir(folder, { recursive: true });
  return entries.filter((entry) => basename(entry) === name).map((entry) => join(folder, entry));
}

describe('an object store that is killed during Complete', () => {
  // Which parts remain depends on the millisecond: all, some, none, or there is already the object (measured).
  it.each([3, 6, 9, 14])(
    'after %i ms: the upload finishes under its id, and only lost parts are sent again',
    async (killAfterMs) => {
      const { sentAgain } = await uploadThrough({ killAfterMs });
      console.info(`killed after ${killAfterMs} ms: ${sentAgain.length} of ${PARTS} parts were sent again`);
    },
  );

  it('before it has done anything: nothing is sent again', async () => {
    expect(await uploadThrough({ killAfterMs: 0 })).toEqual({ sentAgain: [], lostBytes: [] });
  });

  it('and loses one part: that part is sent again', async () => {
    const meanwhile = async (minio: RunningMinio) => {
      const [meta] = await filesOfUploads(minio, 'part.2.meta');
      await rm(String(meta));
    };
    expect(await uploadThrough({ killAfterMs: 0, meanwhile })).toEqual({ sentAgain: [2], lostBytes: [PART] });
  });

  it('and loses the whole upload: everything is sent again, under the same id', async () => {
    const meanwhile = async (minio: RunningMinio) => {
      for (const meta of await filesOfUploads(minio, 'xl.meta')) await truncate(meta, 0);
    };
    const { sentAgain, lostBytes } = await uploadThrough({ killAfterMs: 0, meanwhile });
    expect(sentAgain.toSorted()).toEqual([1, 2, 3, 4]);
    expect(lostBytes).toEqual([PARTS * PART - 1_000]);
  });
});
