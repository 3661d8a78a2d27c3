import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from '../process/at-exit.ts';
import { SetupError } from '../process/setup-error.ts';
import { type Host, thisHost } from '../process/user-folders.ts';
import { createBucket, type S3Target } from './bucket.ts';
import type { Log } from './build.ts';
import { findMinio } from './find.ts';
import { launchMinio, launchOnFreePort, type OwnMinioSource } from './launch.ts';
import { endpointOf, MINIO_REGION, type MinioCredentials, type MinioServer, type MinioSite } from './server.ts';

export interface StartMinioOptions {
  readonly log: Log;
  /** Kept by `stop`. Default: a temporary folder, which `stop` removes. */
  readonly dataDir?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Default: random ones. */
  readonly credentials?: MinioCredentials;
  /** MinIO's own settings, MINIO_…. */
  readonly env?: Readonly<Record<string, string>>;
  /** Created unless it exists. */
  readonly bucket?: string;
  /** Where to look for MinIO, Go and Docker; tests pass their own. */
  readonly host?: Host;
}

export interface RunningMinio extends S3Target {
  readonly bucket: string | undefined;
  /** Undefined if MinIO is not a child process: it runs in a container, or the environment names it. */
  readonly pid: number | undefined;
  /** Undefined if the environment names the MinIO. */
  readonly dataDir: string | undefined;
  /** Ends MinIO, by SIGKILL by default; resolves when it has ended. The data stays. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts MinIO again with the same port, data and credentials, after stopping it if it runs. Resolves when it is ready. */
  restart(): Promise<void>;
  /** Idempotent. Does nothing to a MinIO that the environment names. */
  stop(): Promise<void>;
}

/**
 * Starts a MinIO for the quick start, the tests and the benchmarks: the only way to get one. It is ready when this resolves, and ends with this
 * process at the latest.
 */
export async function startMinio(options: StartMinioOptions): Promise<RunningMinio> {
  const source = await findMinio(options.host ?? thisHost, options.log);
  const minio = source.kind === 'given' ? givenMinio(source.target, options) : await ownMinio(source, options);
  try {
    if (options.bucket !== undefined) await createBucket(minio, options.bucket);
  } catch (error) {
    await minio.stop();
    throw new SetupError(`The bucket ${options.bucket} could not be created at ${minio.endpoint}: ${String(error)}`, {
      cause: error,
    });
  }
  return minio;
}

function givenMinio(target: S3Target, { bucket, log }: StartMinioOptions): RunningMinio {
  log(`Using the S3 endpoint of the environment: ${target.endpoint}`);
  const refuse = async () => {
    throw new SetupError(
      `The object store at ${target.endpoint} was not started here, so it is neither killed nor restarted here.\n` +
        'Unset PARTWAY_DEV_S3_ENDPOINT to start a MinIO here instead.',
    );
  };
  return { ...target, bucket, pid: undefined, dataDir: undefined, kill: refuse, restart: refuse, stop: async () => {} };
}

async function ownMinio(source: OwnMinioSource, options: StartMinioOptions): Promise<RunningMinio> {
  const { dataDir, removeData } = await prepareDataDir(options.dataDir);
  const launched = await launchOnFreePort(source, { ...siteOf(options), dataDir }, options.port).catch((error: unknown) => {
    removeData();
    throw error;
  });
  const { site } = launched;
  let server: MinioServer = launched.server;
  options.log(`MinIO (${source.kind === 'binary' ? source.origin : 'docker compose'}) is ready at ${endpointOf(site.port)}`);
  return {
    endpoint: endpointOf(site.port),
    region: MINIO_REGION,
    ...site.credentials,
    bucket: options.bucket,
    dataDir,
    get pid() {
      return server.pid;
    },
    kill: (signal = 'SIGKILL') => server.kill(signal),
    restart: async () => {
      await server.stop();
      server = await launchMinio(source, site);
    },
    stop: async () => {
      await server.stop();
      removeData();
    },
  };
}

function siteOf({ credentials, env = {}, host = thisHost, log }: StartMinioOptions): Omit<MinioSite, 'dataDir' | 'port'> {
  return { credentials: credentials ?? randomCredentials(), settings: env, host, log };
}

/** Makes an id that is as hard to guess as a key: root's id alone lets anyone write (CVE-2026-41145). MinIO accepts ids of 3 to 20 characters. */
export function randomCredentials(): MinioCredentials {
  return { accessKeyId: randomBytes(10).toString('hex'), secretAccessKey: randomBytes(20).toString('hex') };
}

async function prepareDataDir(given: string | undefined): Promise<{ dataDir: string; removeData: () => void }> {
  if (given !== undefined) {
    await mkdir(given, { recursive: true, mode: 0o700 });
    return { dataDir: given, removeData: () => {} };
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'partway-minio-'));
  const remove = () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
  const forget = atExit(remove);
  return {
    dataDir,
    removeData: () => {
      forget();
      remove();
    },
  };
}
