import { homedir } from 'node:os';
import { userFolder } from '../../installation/user-folders.ts';

/** Environment and platform of a developer's host; tests pass their own instead of changing the process that they run in. */
export interface Host {
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
}

export const thisHost: Host = { env: process.env, platform: process.platform };

/** Folder for files that can be made again: the MinIO build. */
export function cacheFolder(host: Host = thisHost): string {
  return userFolder('cache', { ...host, homeDirectory: homeOf(host) });
}

/** Folder for files that cannot be made again: uploaded objects, the database, credentials. */
export function dataFolder(host: Host = thisHost): string {
  return userFolder('data', { ...host, homeDirectory: homeOf(host) });
}

function homeOf({ env }: Host): string {
  return env.HOME ?? homedir();
}
