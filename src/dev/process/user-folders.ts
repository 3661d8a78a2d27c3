import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** What a developer's machine is like; tests pass their own instead of changing the process they run in. */
export interface Machine {
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
}

export const thisMachine: Machine = { env: process.env, platform: process.platform };

/** Things that can be made again: the MinIO build. */
export function cacheFolder(machine: Machine = thisMachine): string {
  return userFolder(machine, 'XDG_CACHE_HOME', { darwin: ['Library', 'Caches'], other: ['.cache'] });
}

/** Things that cannot: uploaded objects, the database, credentials. */
export function dataFolder(machine: Machine = thisMachine): string {
  return userFolder(machine, 'XDG_DATA_HOME', { darwin: ['Library', 'Application Support'], other: ['.local', 'share'] });
}

function userFolder({ env, platform }: Machine, variable: string, under: { darwin: string[]; other: string[] }): string {
  const named = env[variable];
  // The XDG specification: a relative path is invalid and must be ignored.
  if (named !== undefined && isAbsolute(named)) return join(named, 'partway');
  const home = env.HOME ?? homedir();
  if (platform === 'win32') return join(env.LOCALAPPDATA ?? join(home, 'AppData', 'Local'), 'partway');
  return join(home, ...(platform === 'darwin' ? under.darwin : under.other), 'partway');
}
