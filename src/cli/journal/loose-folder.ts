import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { shellQuote } from '../format/shell-quote.ts';

const GROUP_OR_OTHERS_WRITE = 0o022;

/**
 * Warns if other users may write into the journal's folder or the one above it: they could make parts count as compared that were not.
 * Undefined if no other user may, or the platform has no such modes.
 */
export async function warnOfLooseFolder(directory: string): Promise<string | undefined> {
  const me = process.getuid?.();
  if (me === undefined) return undefined;
  for (const folder of [directory, dirname(directory)]) {
    // A folder that does not exist yet will be made for this user alone.
    const stats = await stat(folder).catch(() => undefined);
    if (stats === undefined) continue;
    if (stats.uid !== me && stats.uid !== 0) return `${folder}, where this machine remembers uploads, belongs to another user`;
    if ((stats.mode & GROUP_OR_OTHERS_WRITE) !== 0)
      return `other users may write into ${folder}, where this machine remembers what it compared; to shut them out: chmod go-w ${shellQuote(folder)}`;
  }
  return undefined;
}
