import { homedir } from 'node:os';
import { userFolder } from '../../installation/user-folders.ts';

/** What a developer's machine is like; tests pass their own instead of changing the process they run in. */
export interface Machine {
  readonly env: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
}

export const thisMachine: Machine = { env: process.env, platform: process.platform };

/** Holds things that can be made again: the MinIO build. */
export function cacheFolder(machine: Machine = thisMachine): string {
  return userFolder('cache', { ...machine, homeDirectory: homeOf(machine) });
}

/** Holds things that cannot be made again: uploaded objects, the database, credentials. */
export function dataFolder(machine: Machine = thisMachine): string {
  return userFolder('data', { ...machine, homeDirectory: homeOf(machine) });
}

function homeOf({ env }: Machine): string {
  return env.HOME ?? homedir();
}
