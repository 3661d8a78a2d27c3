import * as fs from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { UploadError } from '../../session/errors.ts';
import type { ByteSource, SourceIdentity } from './byte-source.ts';
import { explainNameNotUtf8 } from './name-not-utf8.ts';
import { createSliceReader } from './slice-reader.ts';

const open = promisify(fs.open);
const fstat = promisify(fs.fstat);
const stat = promisify(fs.stat);
const close = promisify(fs.close);

/**
 * A file, opened once and read in slices. Holding it open keeps the bytes readable when the name is
 * moved or deleted; a change of size or modification time is noticed by `checkUnchanged`.
 * @throws UploadError `SOURCE_NOT_FOUND` or `SOURCE_UNREADABLE`.
 */
export async function openFileSource(path: string): Promise<ByteSource> {
  const fd = await openFile(path);
  try {
    return fileSource(path, fd, await identify(path, fd));
  } catch (error) {
    await close(fd);
    throw error;
  }
}

function fileSource(path: string, fd: number, identity: SourceIdentity): ByteSource {
  return {
    name: basename(path),
    size: identity.size,
    identity,
    read: createSliceReader(fd, (cause) => unreadable(path, cause)),
    async checkUnchanged() {
      const now = await identify(path, fd);
      if (now.size === identity.size && now.mtimeMs === identity.mtimeMs) {
        if (await isReplaced(path, identity)) throw replaced(path);
        return;
      }
      throw new UploadError('SOURCE_CHANGED', `${path} changed while it was being uploaded (${describeChange(identity, now)}).`, {
        hint: 'Nothing of the new content was mixed in, and the stored parts are kept. Upload the new content under another key, or abort the session first.',
      });
    },
    close: () => close(fd),
  };
}

/** A disk that fails or a network drive that went away. */
function unreadable(path: string, cause: NodeJS.ErrnoException): UploadError {
  return new UploadError('SOURCE_UNREADABLE', `${path} cannot be read any more: ${cause.message}.`, {
    cause,
    hint: 'The stored parts are kept. Check the disk, or bring the drive back, and resume.',
  });
}

async function openFile(path: string): Promise<number> {
  try {
    // Non-blocking: opening a named pipe must answer, not hang until somebody writes to it.
    return await open(path, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw (await explainNameNotUtf8(path, error)) ?? explainOpenError(path, error);
  }
}

function explainOpenError(path: string, cause: unknown): UploadError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new UploadError('SOURCE_NOT_FOUND', `There is no file ${path}.`, { cause, hint: 'Check the path; nothing was sent.' });
  }
  const reason = code === 'EACCES' || code === 'EPERM' ? 'you may not read it' : (cause as Error).message;
  return new UploadError('SOURCE_UNREADABLE', `${path} cannot be opened: ${reason}.`, {
    cause,
    hint: 'Check the permissions of the file; nothing was sent.',
  });
}

async function identify(path: string, fd: number): Promise<SourceIdentity> {
  const stats = await fstat(fd);
  if (!stats.isFile()) {
    const kind = stats.isDirectory() ? 'a directory' : 'not a regular file';
    throw new UploadError('SOURCE_UNREADABLE', `${path} is ${kind}; partway uploads files.`, {
      hint: stats.isDirectory() ? 'Name the files in it, for example: partway upload DIRECTORY/*' : 'Name a regular file.',
    });
  }
  return { size: stats.size, mtimeMs: stats.mtimeMs, device: stats.dev, inode: stats.ino };
}

/** Another file has its name now. Moved or deleted is fine: the open file still has the bytes that were meant. */
async function isReplaced(path: string, identity: SourceIdentity): Promise<boolean> {
  try {
    const stats = await stat(path);
    return stats.ino !== identity.inode || stats.dev !== identity.device;
  } catch {
    return false;
  }
}

function replaced(path: string): UploadError {
  return new UploadError('SOURCE_CHANGED', `${path} was replaced by another file while it was being uploaded.`, {
    hint: 'The stored parts are kept. Upload the new file under another key, or abort the session first.',
  });
}

function describeChange(before: SourceIdentity, now: SourceIdentity): string {
  if (now.size !== before.size) return `it had ${before.size} bytes and has ${now.size} now`;
  return `it was modified at ${new Date(now.mtimeMs).toISOString()}`;
}
