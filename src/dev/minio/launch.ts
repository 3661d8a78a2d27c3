import { freePort, isPortFree } from '../process/free-port.ts';
import { ServerStartError } from '../process/server-process.ts';
import { SetupError } from '../process/setup-error.ts';
import { launchBinary } from './binary.ts';
import { launchInCompose } from './compose.ts';
import type { MinioSource } from './find.ts';
import type { MinioServer, MinioSite } from './server.ts';

export type OwnMinioSource = Exclude<MinioSource, { kind: 'given' }>;

const PORT_TRIES = 5;

/** Resolves when the server is ready. Throws ServerStartError when it ends before. */
export function launchMinio(source: OwnMinioSource, site: MinioSite): Promise<MinioServer> {
  return source.kind === 'binary' ? launchBinary(source.path, site) : launchInCompose(source, site);
}

/** Between finding a port free and MinIO listening on it, somebody else may take it: then another one is tried, unless this one was asked for. */
export async function launchOnFreePort(
  source: OwnMinioSource,
  unplaced: Omit<MinioSite, 'port'>,
  asked: number | undefined,
): Promise<{ site: MinioSite; server: MinioServer }> {
  if (asked !== undefined && !(await isPortFree(asked))) {
    throw new SetupError(`Port ${asked} of 127.0.0.1 is taken by another program. End that one, or choose another port.`);
  }
  for (let tries = 1; ; tries += 1) {
    const site = { ...unplaced, port: asked ?? (await freePort()) };
    try {
      return { site, server: await launchMinio(source, site) };
    } catch (error) {
      const portTaken = error instanceof ServerStartError && /port is already (in use|allocated)/.test(error.message);
      if (!portTaken || asked !== undefined || tries === PORT_TRIES) throw error;
    }
  }
}
