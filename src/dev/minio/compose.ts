import { execFile, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { atExit } from '../process/at-exit.ts';
import { ServerStartError } from '../process/server-process.ts';
import { acceptsCredentials } from './bucket.ts';
import { DEFAULT_MINIO_SETTINGS, endpointOf, MINIO_REGION, type MinioServer, type MinioSite } from './server.ts';

const run = promisify(execFile);

/** Runs only the MinIO of compose.yaml, on the data folder and the port that a MinIO binary would have used. */
export async function launchInCompose(
  { dockerPath, composeFile }: { dockerPath: string; composeFile: string },
  site: MinioSite,
): Promise<MinioServer> {
  // One project per data folder: a second start finds the container of the first, and runs on different folders do not collide.
  const project = `partway-dev-${createHash('sha256').update(site.dataDir).digest('hex').slice(0, 12)}`;
  const prefix = ['compose', '--file', composeFile, '--project-name', project];
  const env = { ...site.host.env, ...composeVariables(site) };
  const compose = (...args: string[]) => run(dockerPath, [...prefix, ...args], { env });
  const down = ['down', '--timeout', '10'];

  const forget = atExit(() => spawnSync(dockerPath, [...prefix, ...down], { env, stdio: 'ignore' }));
  const stop = async () => {
    await compose(...down);
    forget();
  };
  site.log('Starting MinIO with docker compose. The first time, its image is built, which takes some minutes.');
  try {
    await compose('up', '--detach', '--wait', 'minio');
  } catch (error) {
    await stop();
    throw new ServerStartError(`docker compose could not start MinIO.\n${outputOf(error)}`);
  }
  const target = { endpoint: endpointOf(site.port), region: MINIO_REGION, ...site.credentials };
  if (!(await acceptsCredentials(target))) {
    await stop();
    throw new ServerStartError(`docker compose started MinIO, but ${target.endpoint} does not answer to its credentials.`);
  }
  return {
    pid: undefined,
    kill: async (signal) => {
      await compose('kill', '--signal', signal, 'minio');
    },
    stop,
  };
}

function composeVariables({ port, dataDir, credentials, settings }: MinioSite): Record<string, string> {
  const { MINIO_API_STALE_UPLOADS_EXPIRY, MINIO_API_CORS_ALLOW_ORIGIN } = { ...DEFAULT_MINIO_SETTINGS, ...settings };
  const user = process.getuid === undefined ? {} : { PARTWAY_MINIO_USER: `${process.getuid()}:${process.getgid?.() ?? 0}` };
  return {
    ...user,
    PARTWAY_BIND: '127.0.0.1',
    PARTWAY_MINIO_PORT: String(port),
    PARTWAY_MINIO_DATA: dataDir,
    PARTWAY_MINIO_ROOT_USER: credentials.accessKeyId,
    PARTWAY_MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
    PARTWAY_S3_STALE_UPLOADS_EXPIRY: MINIO_API_STALE_UPLOADS_EXPIRY,
    // compose.yaml joins the two lists of origins for MinIO; here the first one contains all of them.
    PARTWAY_PUBLIC_ORIGIN: MINIO_API_CORS_ALLOW_ORIGIN,
    PARTWAY_CORS_ORIGINS: '',
    // compose.yaml demands these for services that are not started here.
    PARTWAY_TOKEN: randomBytes(24).toString('hex'),
    PARTWAY_S3_ACCESS_KEY_ID: randomBytes(10).toString('hex'),
    PARTWAY_S3_SECRET_ACCESS_KEY: randomBytes(20).toString('hex'),
  };
}

function outputOf(error: unknown): string {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return stderr.split('\n').slice(-15).join('\n') || String(error);
}
