import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SetupError } from '../process/setup-error.ts';
import type { Host } from '../process/user-folders.ts';
import type { S3Target } from './bucket.ts';
import { buildMinio, builtMinioPath, type Log } from './build.ts';
import { findOnPath, isExecutable } from './find-on-path.ts';

/** The sources of a MinIO, in order of preference. */
export type MinioSource =
  | { readonly kind: 'given'; readonly target: S3Target }
  | { readonly kind: 'binary'; readonly path: string; readonly origin: string }
  | { readonly kind: 'compose'; readonly dockerPath: string; readonly composeFile: string };

const COMPOSE_FILE = fileURLToPath(new URL('../../../compose.yaml', import.meta.url));
const DOCKER_ANSWERS_WITHIN_MS = 20_000;

export async function findMinio(host: Host, log: Log): Promise<MinioSource> {
  const target = givenEndpoint(host.env);
  if (target !== undefined) return { kind: 'given', target };

  const onPath = await findOnPath('minio', host);
  if (onPath !== undefined) return { kind: 'binary', path: onPath, origin: 'minio on PATH' };

  const built = builtMinioPath(host);
  if (await isExecutable(built)) return { kind: 'binary', path: built, origin: 'built before' };

  const go = await tryBuilding(host, log);
  if ('path' in go) return { kind: 'binary', path: go.path, origin: 'built just now' };

  const docker = await tryDocker(host);
  if ('dockerPath' in docker) return { kind: 'compose', dockerPath: docker.dockerPath, composeFile: COMPOSE_FILE };

  throw new SetupError(explainChoices(built, go.unavailable, docker.unavailable));
}

function givenEndpoint(env: NodeJS.ProcessEnv): S3Target | undefined {
  const endpoint = env.PARTWAY_DEV_S3_ENDPOINT;
  if (!endpoint) return undefined;
  const accessKeyId = env.PARTWAY_DEV_S3_ACCESS_KEY_ID;
  const secretAccessKey = env.PARTWAY_DEV_S3_SECRET_ACCESS_KEY;
  if (!accessKeyId || !secretAccessKey) {
    throw new SetupError(
      'PARTWAY_DEV_S3_ENDPOINT is set, but not the credentials for it.\n' +
        'Set PARTWAY_DEV_S3_ACCESS_KEY_ID and PARTWAY_DEV_S3_SECRET_ACCESS_KEY too, or unset PARTWAY_DEV_S3_ENDPOINT to start a MinIO here.',
    );
  }
  return { endpoint, accessKeyId, secretAccessKey, region: env.PARTWAY_DEV_S3_REGION || 'us-east-1' };
}

async function tryBuilding(host: Host, log: Log): Promise<{ path: string } | { unavailable: string }> {
  const goPath = await findOnPath('go', host);
  if (goPath === undefined) return { unavailable: 'not found on PATH' };
  try {
    return { path: await buildMinio(goPath, host, log) };
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return { unavailable: error.message };
  }
}

async function tryDocker(host: Host): Promise<{ dockerPath: string } | { unavailable: string }> {
  const dockerPath = await findOnPath('docker', host);
  if (dockerPath === undefined) return { unavailable: 'not found on PATH' };
  // `compose version` needs only the client; `info` fails if no engine runs.
  for (const args of [['compose', 'version'], ['info']]) {
    const failure = await failureOf(dockerPath, args, host.env);
    if (failure !== undefined) return { unavailable: `docker ${args.join(' ')} failed: ${failure}` };
  }
  return { dockerPath };
}

function failureOf(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(command, args, { env, timeout: DOCKER_ANSWERS_WITHIN_MS }, (error, _stdout, stderr) => {
      resolve(error === null ? undefined : (stderr.trim().split('\n')[0] ?? '') || error.message);
    });
  });
}

function explainChoices(built: string, go: string, docker: string): string {
  return `There is no MinIO to work with, and none could be built or started. Tried, in this order:
  an endpoint from the environment   PARTWAY_DEV_S3_ENDPOINT is not set
  minio on PATH                      not found
  a build made before                none at ${built}
  building it with Go                ${go}
  starting it with Docker            ${docker}
Do one of these, then run the same command again:
  - install Go 1.24 or newer from https://go.dev/dl/ (MinIO is then built once, in about 3 minutes; distributions' Go is often too old)
  - put a minio program on PATH
  - install Docker with its compose plugin and start it: https://docs.docker.com/compose/install/
  - use an S3 endpoint that you have: set PARTWAY_DEV_S3_ENDPOINT, PARTWAY_DEV_S3_ACCESS_KEY_ID, PARTWAY_DEV_S3_SECRET_ACCESS_KEY`;
}
