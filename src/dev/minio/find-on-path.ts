import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type Host, thisHost } from '../process/user-folders.ts';

/** The full path of a command, as a shell would find it. */
export async function findOnPath(command: string, host: Host = thisHost): Promise<string | undefined> {
  const fileName = executableName(command, host);
  // Windows names the variable Path. process.env ignores case there, but a copy of it does not.
  const folders = (host.env.PATH ?? host.env.Path ?? '').split(delimiter);
  for (const folder of folders.filter((folder) => folder !== '')) {
    const path = join(folder, fileName);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

export function executableName(command: string, host: Host = thisHost): string {
  return host.platform === 'win32' ? `${command}.exe` : command;
}

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
