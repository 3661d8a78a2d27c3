import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import type { ByteSource } from '../../../src/client/source/byte-source.ts';
import { openUpload } from '../../../src/client/transfer/open-upload.ts';
import type { RunUploadOptions } from '../../../src/client/transfer/run-options.ts';
import type { CreateRequest, Session } from '../../../src/contract/wire.ts';
import { parseConfig } from '../../../src/server/settings/config.ts';
import { startServer } from '../../../src/server/start-server.ts';
import { type StartedRun, startRun } from '../client/started-run.ts';
import { createTestBucket, sharedMinio } from '../store/minio.ts';
import { readObject } from '../store/s3-stores.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';

const TOKEN = 'the-token-of-the-faulty-paths';

/** The engine, a real control plane and the real MinIO, with a fault proxy on each of the three paths between them. */
export interface FaultyPaths {
  readonly clientToStore: FaultProxy;
  readonly clientToServer: FaultProxy;
  readonly serverToStore: FaultProxy;
  readonly controlPlane: ControlPlane;
  open(source: ByteSource, request?: Partial<CreateRequest>): Promise<Session>;
  run(session: Session, source: ByteSource, options?: Partial<RunUploadOptions>): StartedRun;
  readObject(key: string): Promise<Uint8Array>;
}

export async function startFaultyPaths(): Promise<FaultyPaths> {
  const minio = sharedMinio();
  const bucket = await createTestBucket();
  const clientToStore = await startFaultProxy(minio.endpoint);
  const serverToStore = await startFaultProxy(minio.endpoint);
  const server = await startServer(
    parseConfig({
      PARTWAY_PORT: '0',
      PARTWAY_TOKEN: TOKEN,
      PARTWAY_DATABASE_URL: ':memory:',
      PARTWAY_S3_ENDPOINT: serverToStore.url,
      PARTWAY_S3_PUBLIC_ENDPOINT: clientToStore.url,
      PARTWAY_S3_REGION: minio.region,
      PARTWAY_S3_BUCKET: bucket,
      PARTWAY_S3_ACCESS_KEY_ID: minio.accessKeyId,
      PARTWAY_S3_SECRET_ACCESS_KEY: minio.secretAccessKey,
    }),
    pino({ level: 'silent' }),
    () => {},
  );
  const clientToServer = await startFaultProxy(server.url);
  const controlPlane = new ControlPlane({ server: clientToServer.url, token: TOKEN });
  onTestFinished(async () => {
    await Promise.all([clientToStore.close(), clientToServer.close(), serverToStore.close()]);
    await server.stop();
  });
  return {
    clientToStore,
    clientToServer,
    serverToStore,
    controlPlane,
    async open(source, request = {}) {
      const { session } = await openUpload({ controlPlane, source, request });
      return session;
    },
    run: (session, source, options = {}) => startRun({ controlPlane, session, source, ...options }),
    readObject: (key) => readObject(bucket, key),
  };
}
