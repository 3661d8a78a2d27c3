import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Environment and platform of a developer's host; tests pass their own instead of changing the process that they run in. */
export interface Host {
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
}

export const thisHost: Host = { env: process.env, platform: process.platform };

/** Folder for files that can be made again: the MinIO build. */
export function cacheFolder(host: Host = thisHost): string {
  return userFolder(host, 'XDG_CACHE_HOME', { darwin: ['Library', 'Caches'], other: ['.cache'] });
}

/** Folder for files that cannot be made again: uploaded objects, the database, credentials. */
export function dataFolder(host: Host = thisHost): string {
  return userFolder(host, 'XDG_DATA_HOME', { darwin: ['Library', 'Application Support'], other: ['.local', 'share'] });
}

function userFolder({ env, platform }: Host, variable: string, under: { darwin: string[]; other: string[] }): string {
  const named = env[variable];
  // The XDG specification: a relative path is invalid and must be ignored.
  if (named !== undefined && isAbsolute(named)) return join(named, 'partway');
  const home = env.HOME ?? homedir();
  if (platform === 'win32') return join(env.LOCALAPPDATA ?? join(home, 'AppData', 'Local'), 'partway');
  return join(home, ...(platform === 'darwin' ? under.darwin : under.other), 'partway');
}
