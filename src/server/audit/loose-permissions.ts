import { statSync } from 'node:fs';
import { dirname } from 'node:path';

const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
const OTHERS_READ = 0o004;
/** In a folder with this bit, a user can neither remove nor rename the files of other users. */
const STICKY = 0o1000;

/**
 * Describes what other users may do with the audit log; undefined if nothing. Read access of a group is not reported, because logrotate and
 * log shippers are set up like that. Windows has no such modes.
 */
export function loosePermissions(path: string): string | undefined {
  if (process.platform === 'win32') return undefined;
  const { mode } = statSync(path);
  const folder = statSync(dirname(path)).mode;
  if ((mode & (GROUP_WRITES | OTHERS_WRITE)) !== 0)
    return `others may change the audit log (mode ${octal(mode)}): chmod 600 ${path}`;
  if ((mode & OTHERS_READ) !== 0) return `others may read the audit log (mode ${octal(mode)}): chmod 600 ${path}`;
  if ((folder & OTHERS_WRITE) !== 0 && (folder & STICKY) === 0)
    return `others may replace the audit log, since they may write in its folder (mode ${octal(folder)}): chmod o-w ${dirname(path)}`;
  return undefined;
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
