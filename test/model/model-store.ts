import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type ObjectStore, ObjectStoreError } from '../../src/object-store/port.ts';
import { checksumOf } from '../suites/object-store.ts';
import { interpose } from '../support/interpose.ts';
import { type CannedAnswer, S3_ANSWERS } from '../support/proxies/faults.ts';
import { FakeObjectStore } from '../support/store/fake-object-store.ts';

/** An object store that a schedule can harm: one in this process, or a real MinIO. */
export interface ModelStore {
  /** The endpoint for PUTs of parts. */
  readonly endpoint: string;
  /** Returns the control plane's access. URLs name `publicEndpoint`. `onKill` runs when the store is killed and may lose an object in assembly. */
  connect(publicEndpoint: string, now: () => number, onKill: () => void): ObjectStore;
  /** Kills the store and starts it again after this time. Resolves when it is up again. */
  kill(downMs: number): Promise<void>;
  /** Protects the store from further kills by any schedule. Resolves when it is up. */
  spare(): Promise<void>;
  /** Reads the object, or resolves with undefined if there is none. */
  read(key: string): Promise<Uint8Array | undefined>;
  /** Lists the ids of the unfinished multipart uploads of the key. */
  uploads(key: string): Promise<string[]>;
  loseUpload(key: string, uploadId: string): Promise<void>;
  /** Makes the store lose a part; undefined if this store cannot. */
  readonly losePart?: (uploadId: string, partNumber: number) => void;
  close(): Promise<void>;
}

/** The time that a call to the store takes each way, so that something can happen during the call. */
const LATENCY_MS = 20;

/**
 * Starts a FakeObjectStore with an HTTP server for presigned PUTs. Its parts may have any size; small ones make hundreds of schedules
 * affordable.
 */
export async function startFakeStore(): Promise<ModelStore> {
  let fake = new FakeObjectStore();
  let now = Date.now;
  let isDown = false;
  const httpServer = http.createServer((request, response) => {
    answerPut(fake, now(), request).then(
      (answer) => send(response, answer),
      () => request.socket.destroy(),
    );
  });
  // Accepted and reset rather than refused: another program may take a port as soon as nothing listens on it.
  httpServer.on('connection', (socket) => isDown && socket.resetAndDestroy());
  httpServer.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => httpServer.listen(0, '127.0.0.1', resolve));

  const unlessDown = () => {
    if (isDown) throw new ObjectStoreError('unavailable', 'the store is down');
  };
  return {
    endpoint: `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`,
    connect(publicEndpoint, clock) {
      now = clock;
      fake = new FakeObjectStore({ now: clock, minPartSize: 1, publicEndpoint });
      return interpose<ObjectStore>(fake, async (method, call) => {
        if (method === 'presignPart') return call();
        await wait(LATENCY_MS);
        unlessDown();
        const result = await call();
        await wait(LATENCY_MS);
        unlessDown();
        return result;
      });
    },
    async kill(downMs) {
      isDown = true;
      httpServer.closeAllConnections();
      await wait(downMs);
      isDown = false;
    },
    spare: async () => {},
    read: async (key) => fake.read(key),
    uploads: async (key) => (await fake.listMultipartUploads(key)).map(({ uploadId }) => uploadId),
    loseUpload: async (_, uploadId) => fake.sweepUpload(uploadId),
    losePart: (uploadId, partNumber) => fake.losePart(uploadId, partNumber),
    close: () =>
      new Promise((resolve) => {
        httpServer.close(() => resolve());
        httpServer.closeAllConnections();
      }),
  };
}

type Answer = Pick<CannedAnswer, 'status' | 'headers' | 'body'>;

/** Checks a PUT in MinIO's order: first whether the URL has expired, then the length, the checksum, and whether the upload exists. */
async function answerPut(fake: FakeObjectStore, now: number, request: http.IncomingMessage): Promise<Answer> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://store');
  const key = decodeURIComponent(pathname.slice(`/${fake.bucket}/`.length));
  if (request.method !== 'PUT') return S3_ANSWERS.wrongSignature;
  const expired = now > Number(searchParams.get('expiresAt'));
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  if (expired) return S3_ANSWERS.expired;
  const bytes = Buffer.concat(pieces);
  if (bytes.length !== Number(request.headers['content-length'])) throw new Error('cut short');
  if (checksumOf(bytes) !== request.headers['x-amz-checksum-crc32']) return S3_ANSWERS.checksumMismatch;
  try {
    const { etag } = fake.putPart(key, searchParams.get('uploadId') ?? '', Number(searchParams.get('partNumber')), bytes);
    return { status: 200, headers: { etag }, body: '' };
  } catch {
    return S3_ANSWERS.noSuchUpload;
  }
}

function send(response: http.ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers).end(body);
}
