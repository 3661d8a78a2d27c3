import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import type { ByteSource } from '../../../src/client/source/byte-source.ts';
import { openUpload } from '../../../src/client/transfer/open-upload.ts';
import type { RunUploadOptions } from '../../../src/client/transfer/run-options.ts';
import type { CreateRequest, Session } from '../../../src/contract/wire.ts';
import { parseConfig } from '../../../src/server/settings/config.ts';
import { type RunningServer, startServer } from '../../../src/server/start-server.ts';
import { partRange } from '../../../src/session/part-plan.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { sendRequest } from '../network/send-request.ts';
import { type PartProxy, startPartProxy } from '../proxies/part-proxy.ts';
import { createTestBucket, sharedMinio } from '../store/minio.ts';
import { anS3Store, readObject, type S3Store } from '../store/s3-stores.ts';
import { aFolder } from './sources.ts';
import { type StartedRun, startRun } from './started-run.ts';

const TOKEN = 'the-token-of-the-engine-tests';

/** A real control plane in this process, a real MinIO, and a proxy between MinIO and the engine that causes faults on command. */
export class EngineBench {
  readonly proxy: PartProxy;
  /** Direct access to the store, past the proxy, the control plane and the engine. */
  readonly store: S3Store;
  readonly controlPlane: ControlPlane;
  readonly #startServer: () => Promise<RunningServer>;
  #server: RunningServer;

  private constructor(proxy: PartProxy, store: S3Store, start: (port: number) => Promise<RunningServer>, first: RunningServer) {
    this.proxy = proxy;
    this.store = store;
    this.#server = first;
    this.#startServer = () => start(Number(new URL(first.url).port));
    this.controlPlane = new ControlPlane({ server: first.url, token: TOKEN });
  }

  static async start(): Promise<EngineBench> {
    const minio = sharedMinio();
    const bucket = await createTestBucket();
    const proxy = await startPartProxy(minio.endpoint);
    const store = await anS3Store({ bucket });
    const database = join(await aFolder(), 'partway.db');
    const start = (port: number) =>
      startServer(
        parseConfig({
          PARTWAY_PORT: String(port),
          PARTWAY_TOKEN: TOKEN,
          PARTWAY_DATABASE_URL: database,
          PARTWAY_S3_ENDPOINT: minio.endpoint,
          PARTWAY_S3_PUBLIC_ENDPOINT: proxy.url,
          PARTWAY_S3_REGION: minio.region,
          PARTWAY_S3_BUCKET: bucket,
          PARTWAY_S3_ACCESS_KEY_ID: minio.accessKeyId,
          PARTWAY_S3_SECRET_ACCESS_KEY: minio.secretAccessKey,
        }),
        pino({ level: 'silent' }),
        () => {},
      );
    const bench = new EngineBench(proxy, store, start, await start(0));
    onTestFinished(async () => {
      await bench.stopServer();
      store.close();
    });
    return bench;
  }

  stopServer(): Promise<void> {
    return this.#server.stop();
  }

  /** Starts a new server on the same port and the same database. */
  async restartServer(): Promise<void> {
    this.#server = await this.#startServer();
  }

  async open(source: ByteSource, request: Partial<CreateRequest> = {}): Promise<Session> {
    const { session } = await openUpload({ controlPlane: this.controlPlane, source, request });
    return session;
  }

  run(session: Session, source: ByteSource, options: Partial<RunUploadOptions> = {}): StartedRun {
    return startRun({ controlPlane: this.controlPlane, session, source, ...options });
  }

  /** Stores these parts of `bytes`, as an earlier run would have, but past the proxy and its counters. */
  async storeParts(session: Session, bytes: Uint8Array, partNumbers: readonly number[]): Promise<void> {
    for (const partNumber of partNumbers) {
      const { start, end } = partRange(session, session.size, partNumber);
      const part = bytes.subarray(start, end);
      const checksums = { [partNumber]: checksumOf(part) };
      const { parts } = await this.controlPlane.presign(session.sessionId, { partNumbers: [partNumber], checksums });
      const url = new URL(parts[0]?.url ?? '');
      const direct = new URL(sharedMinio().endpoint);
      const signedHost = url.host;
      url.host = direct.host;
      const { status } = await sendRequest('PUT', url.href, { ...parts[0]?.headers, host: signedHost }, part);
      if (status !== 200) throw new Error(`part ${partNumber} was answered ${status}`);
    }
  }

  /** Removes the key's multipart uploads, as the store's own sweep of stale uploads would. */
  async loseUploads(key: string): Promise<void> {
    for (const { uploadId } of await this.store.listMultipartUploads(key)) await this.store.abortMultipartUpload(key, uploadId);
  }

  readObject(key: string): Promise<Uint8Array> {
    return readObject(this.store.bucket, key);
  }
}
