import { isAbsolute, posix, win32 } from 'node:path';
import type { CliContext } from '../terminal/context.ts';

/** Where this platform keeps a program's state; the XDG variable wins everywhere, because it is set on purpose. Undefined without a home directory. */
export function stateDirectory({
  env,
  platform,
  homeDirectory,
}: Pick<CliContext, 'env' | 'platform' | 'homeDirectory'>): string | undefined {
  const { XDG_STATE_HOME: xdg, LOCALAPPDATA: localAppData } = env;
  // The XDG specification: a relative path is invalid and must be ignored.
  if (xdg !== undefined && isAbsolute(xdg)) return posix.join(xdg, 'partway');
  if (platform === 'win32' && localAppData !== undefined) return win32.join(localAppData, 'partway');
  if (homeDirectory === undefined) return undefined;
  if (platform === 'win32') return win32.join(homeDirectory, 'AppData', 'Local', 'partway');
  if (platform === 'darwin') return posix.join(homeDirectory, 'Library', 'Application Support', 'partway');
  return posix.join(homeDirectory, '.local', 'state', 'partway');
}
