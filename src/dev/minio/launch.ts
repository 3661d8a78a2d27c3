import { freePort, isPortFree } from '../process/free-port.ts';
import { ServerStartError } from '../process/server-process.ts';
import { SetupError } from '../process/setup-error.ts';
import { launchBinary } from './binary.ts';
import { launchInCompose } from './compose.ts';
import type { MinioSource } from './find.ts';
import type { MinioServer, MinioSite } from './server.ts';

export type OwnMinioSource = Exclude<MinioSource, { kind: 'given' }>;

const PORT_TRIES = 5;

/** Resolves when the server is ready. @throws ServerStartError if it ends before that. */
export function launchMinio(source: OwnMinioSource, site: MinioSite): Promise<MinioServer> {
  return source.kind === 'binary' ? launchBinary(source.path, site) : launchInCompose(source, site);
}

/**
 * Starts MinIO on the port `asked`, or on a free one. Another program may take a free port before MinIO listens on it; then another port is
 * tried, unless this one was asked for.
 */
export async function launchOnFreePort(
  source: OwnMinioSource,
  siteWithoutPort: Omit<MinioSite, 'port'>,
  asked: number | undefined,
): Promise<{ site: MinioSite; server: MinioServer }> {
  if (asked !== undefined && !(await isPortFree(asked))) {
    throw new SetupError(`Port ${asked} of 127.0.0.1 is in use by another program. End that program, or choose another port.`);
  }
  for (let tries = 1; ; tries += 1) {
    const site = { ...siteWithoutPort, port: asked ?? (await freePort()) };
    try {
      return { site, server: await launchMinio(source, site) };
    } catch (error) {
      const portTaken = error instanceof ServerStartError && /port is already (in use|allocated)/.test(error.message);
      if (!portTaken || asked !== undefined || tries === PORT_TRIES) throw error;
    }
  }
}
