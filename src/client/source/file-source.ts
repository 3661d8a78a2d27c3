import * as fs from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { UploadError } from '../../session/errors.ts';
import type { ByteSource, SourceIdentity } from './byte-source.ts';
import { type FileSystemType, hasChangeTime, settlesInMs } from './change-time.ts';
import { explainNameNotUtf8 } from './name-not-utf8.ts';
import { createSliceReader } from './slice-reader.ts';

const open = promisify(fs.open);
const read = promisify(fs.read);
const fstat = promisify(fs.fstat);
const stat = promisify(fs.stat);
const close = promisify(fs.close);

const KEPT = 'The stored parts are kept. Upload the new content under another key, or abort the session first.';
/** A file that is written all the time never gets a change time that vouches. */
const MOST_LOOKS = 5;

export interface FileSourceOptions {
  /** Says which file system a path is on; asks the system by default. */
  readonly fileSystemType?: FileSystemType;
}

/**
 * Opens a file once, to be read in slices. While it is open, its bytes stay readable when the name is moved or deleted.
 * @throws UploadError `SOURCE_NOT_FOUND` or `SOURCE_UNREADABLE`.
 */
export async function openFileSource(path: string, { fileSystemType }: FileSourceOptions = {}): Promise<ByteSource> {
  const fd = await openFile(path);
  try {
    const file: OpenFile = { path, fd, hasChangeTime: await hasChangeTime(path, fileSystemType) };
    return fileSource(file, await identityAtOpening(file));
  } catch (error) {
    await close(fd);
    throw error;
  }
}

interface OpenFile {
  readonly path: string;
  readonly fd: number;
  readonly hasChangeTime: boolean;
}

function fileSource(file: OpenFile, identity: SourceIdentity): ByteSource {
  const { path, fd } = file;
  return {
    name: basename(path),
    size: identity.size,
    identity,
    read: createSliceReader(fd, (cause) => unreadable(path, cause)),
    async identify() {
      const now = await identify(file);
      if (now.size !== identity.size) throw otherSize(path, identity.size, `has ${now.size}`);
      if ((await nameLeadsTo(path, now)) === 'another file') throw replaced(path);
      const end = await findEnd(file, now.size);
      if (end !== 'as reported') throw otherSize(path, now.size, end === 'later' ? 'more can be read' : 'fewer can be read');
      return now;
    },
    close: () => close(fd),
  };
}

/** Returns the identity that a file reports, checked by reading its end. */
async function identityAtOpening({ hasChangeTime, ...opened }: OpenFile): Promise<SourceIdentity> {
  for (let looks = 1; ; looks++) {
    // statfs goes by name: the name must lead to the file that is open.
    const before = await identify({ ...opened, hasChangeTime: false });
    const isNamed = (await nameLeadsTo(opened.path, before)) === 'this file';
    const identity = await identify({ ...opened, hasChangeTime: hasChangeTime && isNamed });
    const end = await findEnd(opened, identity.size);
    if (end === 'as reported') return identity;
    // The file may just be growing or shrinking; then it reports another size by now.
    const { size } = await identify({ ...opened, hasChangeTime: false });
    if (size === identity.size || looks === MOST_LOOKS) throw wrongSize(opened.path, identity.size, end);
  }
}

/** The error for a disk that fails or a network drive that went away. */
function unreadable(path: string, cause: NodeJS.ErrnoException): UploadError {
  return new UploadError('SOURCE_UNREADABLE', `${path} cannot be read any more: ${cause.message}.`, {
    cause,
    hint: 'The stored parts are kept. Check the disk, or bring the drive back, and resume.',
  });
}

async function openFile(path: string): Promise<number> {
  try {
    // Non-blocking: opening a named pipe must return, not hang until a program writes to it.
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

/** Waits until the file's change time is old enough to vouch. */
async function identify({ path, fd, hasChangeTime }: OpenFile): Promise<SourceIdentity> {
  for (let looks = 1; ; looks++) {
    const stats = await fstat(fd, { bigint: true });
    if (!stats.isFile()) throw notRegular(path, stats.isDirectory());
    const settlesIn = hasChangeTime ? settlesInMs(stats.ctimeNs, Date.now()) : 0;
    if (settlesIn === 0) return identityOf(stats, hasChangeTime);
    if (looks === MOST_LOOKS) return identityOf(stats, false);
    await wait(settlesIn);
  }
}

function identityOf({ size, mtimeNs, ctimeNs, dev, ino }: fs.BigIntStats, hasChangeTime: boolean): SourceIdentity {
  return {
    size: Number(size),
    // Exactly the `mtimeMs` of a stat without bigints, which journals of earlier versions have.
    mtimeMs: Number(mtimeNs / 1_000_000_000n) * 1_000 + Number(mtimeNs % 1_000_000_000n) / 1_000_000,
    ...(hasChangeTime ? { ctimeNs: String(ctimeNs) } : {}),
    device: Number(dev),
    inode: Number(ino),
  };
}

type End = 'as reported' | 'later' | 'earlier';

/**
 * Finds out by reading whether a file ends where it says. Files of procfs say 0 bytes and have more, those of sysfs say a page and
 * have fewer, and file systems in user space may say anything.
 */
async function findEnd({ path, fd }: Pick<OpenFile, 'path' | 'fd'>, size: number): Promise<End> {
  const readsAt = async (position: number): Promise<boolean> => {
    const { bytesRead } = await read(fd, Buffer.alloc(1), 0, 1, position).catch((cause) => {
      throw unreadable(path, cause);
    });
    return bytesRead > 0;
  };
  if (await readsAt(size)) return 'later';
  return size > 0 && !(await readsAt(size - 1)) ? 'earlier' : 'as reported';
}

/** Where the name leads now. Moved or deleted is fine: the open file still has the bytes that were meant. */
async function nameLeadsTo(path: string, { device, inode }: SourceIdentity): Promise<'this file' | 'another file' | 'nothing'> {
  try {
    const stats = await stat(path);
    return stats.ino === inode && stats.dev === device ? 'this file' : 'another file';
  } catch {
    return 'nothing';
  }
}

function notRegular(path: string, isDirectory: boolean): UploadError {
  const kind = isDirectory ? 'a directory' : 'not a regular file';
  return new UploadError('SOURCE_UNREADABLE', `${path} is ${kind}; partway uploads files.`, {
    hint: isDirectory ? 'Name the files in it, for example: partway upload DIRECTORY/*' : 'Name a regular file.',
  });
}

function wrongSize(path: string, size: number, end: End): UploadError {
  const truth = end === 'later' ? 'more can be read' : 'it ends before that';
  return new UploadError('SOURCE_UNREADABLE', `${path} says that it has ${size} bytes, but ${truth}.`, {
    hint: 'Its size cannot be relied on, as with files in /proc and /sys. Copy it to a disk first, and upload the copy; nothing was sent.',
  });
}

function otherSize(path: string, size: number, now: string): UploadError {
  return new UploadError('SOURCE_CHANGED', `${path} changed while it was being uploaded (it had ${size} bytes and ${now} now).`, {
    hint: `Nothing of the new content was mixed in. ${KEPT}`,
  });
}

function replaced(path: string): UploadError {
  return new UploadError('SOURCE_CHANGED', `${path} was replaced by another file while it was being uploaded.`, { hint: KEPT });
}
