import { answersOk, startServerProcess, untilReady } from '../process/server-process.ts';
import { acceptsCredentials } from './bucket.ts';
import { DEFAULT_MINIO_SETTINGS, endpointOf, MINIO_REGION, type MinioServer, type MinioSite } from './server.ts';

/** Runs a MinIO executable. */
export async function launchBinary(
  path: string,
  { dataDir, port, credentials, settings, host }: MinioSite,
): Promise<MinioServer> {
  const server = startServerProcess({
    name: 'MinIO',
    command: path,
    args: ['server', dataDir, '--address', `127.0.0.1:${port}`],
    env: {
      ...withoutMinioSettings(host.env),
      // No web console: it would listen on every interface.
      MINIO_BROWSER: 'off',
      ...DEFAULT_MINIO_SETTINGS,
      ...settings,
      MINIO_ROOT_USER: credentials.accessKeyId,
      MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
    },
    // Older releases print the credentials when they start.
    secrets: [credentials.secretAccessKey, credentials.accessKeyId],
  });
  const endpoint = endpointOf(port);
  // Sends a signed request as well: if another MinIO has the port, it answers the health check while ours is still failing.
  const isReady = async () =>
    (await answersOk(`${endpoint}/minio/health/cluster`)) &&
    (await acceptsCredentials({ endpoint, region: MINIO_REGION, ...credentials }));
  await untilReady(server, isReady);
  return server;
}

/** Keeps the developer's settings for another MinIO (MINIO_VOLUMES, MINIO_ROOT_USER_FILE …) away from this one. */
function withoutMinioSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('MINIO_')));
}
