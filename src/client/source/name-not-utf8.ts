import { isUtf8 } from 'node:buffer';
import { readdir } from 'node:fs/promises';
import { sep } from 'node:path';
import { UploadError } from '../../session/errors.ts';

const REPLACEMENT = '\ufffd';

/**
 * Explains a path that leads nowhere because a name in it is not UTF-8: Node decodes arguments and file names with U+FFFD for bytes
 * that it cannot read, and no text names such a file any more. Undefined where that is not the reason.
 */
export async function explainNameNotUtf8(path: string, cause: unknown): Promise<UploadError | undefined> {
  const segments = path.split(sep);
  const index = segments.findIndex((segment) => segment.includes(REPLACEMENT));
  if (index === -1) return undefined;
  const folder = segments.slice(0, index).join(sep) || (path.startsWith(sep) ? sep : '.');
  // If the folder cannot be read either, the error of opening the file says more.
  const names = await readdir(folder, { encoding: 'buffer' }).catch(() => []);
  if (!names.some((name) => !isUtf8(name) && name.toString() === segments[index])) return undefined;
  return new UploadError('SOURCE_UNREADABLE', `${path} cannot be opened: the name "${segments[index]}" is not UTF-8.`, {
    cause,
    hint: 'Rename it, or give it a second name and upload that: ln OLD NEW (the shell completes the old name with the Tab key). For many: convmv -f latin1 -t utf-8',
  });
}
