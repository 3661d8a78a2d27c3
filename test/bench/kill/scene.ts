import { join } from 'node:path';
import type { S3Target } from '../../../src/dev/minio/bucket.ts';
import { startMinio } from '../../../src/dev/minio/minio.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { findPostgres, startPostgres } from '../../support/database/postgres-server.ts';
import { startBalancer } from '../../support/proxies/balancer.ts';
import { type ByteProxy, startByteProxy } from '../../support/proxies/byte-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import type { Mortal } from './killing.ts';
import { type Mode, STYLES, type Victim } from './plan.ts';

export const BUCKET = 'uploads';
const TOKEN = 'the-token-of-every-client';

/** The servers of a mode. */
export interface Scene {
  readonly token: string;
  /** The clients are spread over these. */
  readonly urls: readonly string[];
  readonly mortals: ReadonlyMap<Victim, Mortal>;
  readonly store: S3Target;
  /** The folder in which MinIO keeps unfinished uploads. */
  readonly multipartFolder: string;
  /** The link from the clients to the store. */
  readonly link: ByteProxy;
  /** Stops the control planes by SIGTERM. */
  stopControlPlanes(): Promise<void>;
  /** Opens the database of the control planes, once they have ended. */
  openSessions(): Promise<SessionStore>;
  close(): Promise<void>;
}

export async function setScene(mode: Mode, folder: string, clients: number): Promise<Scene> {
  const dataDir = join(folder, 'minio');
  const minio = await startMinio({ log: console.error, bucket: BUCKET, dataDir });
  const link = await startByteProxy(minio.endpoint, { bytesPerSecond: clients * STYLES[mode].bytesPerSecondOfClient });
  const start = (name: string, env: Readonly<Record<string, string>>) =>
    startControlPlane({
      store: minio,
      bucket: BUCKET,
      publicEndpoint: link.url,
      env: { PARTWAY_TOKEN: TOKEN, PARTWAY_AUDIT_LOG: 'off', ...env },
      // A started server counts as up, whether its database and store are there or not.
      untilReady: false,
      logFile: (count) => join(folder, `${name}-${count}.log`),
    });
  const { close, ...servers } = await (mode === 'replicas'
    ? startReplicas(start)
    : startSingle(start, minio, join(folder, 'partway.db')));
  return {
    ...servers,
    token: TOKEN,
    store: minio,
    multipartFolder: join(dataDir, '.minio.sys', 'multipart'),
    link,
    async close() {
      await close();
      await link.close();
      await minio.stop();
    },
  };
}

type Start = (name: string, env: Readonly<Record<string, string>>) => Promise<ControlPlaneProcess>;
type Servers = Pick<Scene, 'urls' | 'mortals' | 'stopControlPlanes' | 'openSessions' | 'close'>;

/** Starts two servers on one PostgreSQL. A third of the clients uses one of them, a third the other, and a third a balancer in front of both. */
async function startReplicas(start: Start): Promise<Servers> {
  const binaries = await findPostgres();
  if (binaries === undefined) throw new Error('PostgreSQL is not installed (initdb and postgres).');
  const database = await startPostgres(binaries);
  const env = { PARTWAY_DATABASE_URL: database.url };
  const [one, two] = await Promise.all([start('replica-1', env), start('replica-2', env)]);
  const balancer = await startBalancer([one.server, two.server]);
  return {
    urls: [balancer.url, one.server, two.server],
    mortals: new Map<Victim, Mortal>([
      ['replica 1', one],
      ['replica 2', two],
      ['database', database],
    ]),
    stopControlPlanes: async () => void (await Promise.all([one.stop(), two.stop()])),
    openSessions: () => openPostgresStore(database.url),
    async close() {
      await balancer.close();
      await database.stop();
    },
  };
}

async function startSingle(start: Start, minio: Mortal, path: string): Promise<Servers> {
  const controlPlane = await start('control-plane', { PARTWAY_DATABASE_URL: path });
  return {
    urls: [controlPlane.server],
    mortals: new Map<Victim, Mortal>([
      ['control plane', controlPlane],
      ['MinIO', minio],
    ]),
    stopControlPlanes: () => controlPlane.stop(),
    openSessions: async () => openSqliteStore(path),
    close: async () => {},
  };
}
