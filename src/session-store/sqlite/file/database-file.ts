import { type BigIntStats, closeSync, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import type { FileLoss } from '../../port/file-loss.ts';
import { SessionStoreUnavailable } from '../../port/unavailable.ts';
import { afterLook, type FileId, HEADER_BYTES, judgeFile, type KnownFile, type SeenFiles } from './file-identity.ts';

/** Longest time until a loss is noticed while nothing writes. */
const LOOK_EVERY_MS = 1_000;

/** The open file of a database, watched for loss. */
export interface DatabaseFile {
  /** Set by the first check that finds a loss, and kept: a file that comes back may have been changed meanwhile. */
  readonly loss: SessionStoreUnavailable | undefined;
  /** Checks the file now. @throws SessionStoreUnavailable */
  check(): void;
  /** @throws SessionStoreUnavailable if an earlier check found a loss. */
  checkKnown(): void;
  /** Records a loss that something else has found. Returns the error to throw. */
  lose(loss: FileLoss, cause?: unknown): SessionStoreUnavailable;
  /** Idempotent. */
  close(): void;
}

/**
 * Watches the file until it is closed: at each `check`, which takes about 40 µs, and once a second. SQLite must have opened the file and
 * its WAL before. `mark` is the `user_version` that this start gives the database.
 */
export function watchDatabaseFile(path: string, mark: number, onLoss: (error: SessionStoreUnavailable) => void): DatabaseFile {
  const realPath = realpathSync(path);
  // Opened for writing: on an overlay file system, a descriptor for reading stays on the file of the layer below. Close these only after
  // SQLite has closed its own descriptors: closing any descriptor of a file drops all locks that the process has on it.
  const descriptors = { database: openToWatch(realPath), wal: openToWatch(`${realPath}-wal`) };
  // Not opened, because SQLite's locks are on this file.
  const sharedMemory = toId(statSync(`${realPath}-shm`, { bigint: true }));
  const header = Buffer.alloc(HEADER_BYTES);
  let known: KnownFile = { size: 0, wasMarked: false };
  let loss: SessionStoreUnavailable | undefined;
  let isClosed = false;

  function check(): void {
    if (loss === undefined && !isClosed) {
      const seen = look();
      const found = seen && judgeFile(mark, known, seen);
      if (found !== undefined) lose(found);
      else if (seen !== undefined) known = afterLook(mark, known, seen);
    }
    checkKnown();
  }

  function checkKnown(): void {
    if (loss !== undefined) throw loss;
  }

  /** Returns undefined if the file system does not answer: that shows no loss, and SQLite meets the error itself. */
  function look(): SeenFiles | undefined {
    try {
      const open = fstatSync(descriptors.database, { bigint: true });
      const bytes = readSync(descriptors.database, header, 0, HEADER_BYTES, 0);
      return {
        database: { open: toId(open), atPath: idAt(path) },
        wal: { open: toId(fstatSync(descriptors.wal, { bigint: true })), atPath: idAt(`${realPath}-wal`) },
        sharedMemory: { open: sharedMemory, atPath: idAt(`${realPath}-shm`) },
        size: Number(open.size),
        header: header.subarray(0, bytes),
      };
    } catch {
      return undefined;
    }
  }

  function lose(found: FileLoss, cause?: unknown): SessionStoreUnavailable {
    if (loss !== undefined) return loss;
    loss = new SessionStoreUnavailable(describeLoss(path, found), found, { cause });
    clearInterval(timer);
    onLoss(loss);
    return loss;
  }

  const timer = setInterval(() => {
    try {
      check();
    } catch {
      // `onLoss` was called.
    }
  }, LOOK_EVERY_MS);
  timer.unref();
  return {
    get loss() {
      return loss;
    },
    check,
    checkKnown,
    lose,
    close() {
      if (isClosed) return;
      isClosed = true;
      clearInterval(timer);
      for (const descriptor of Object.values(descriptors)) closeSync(descriptor);
    },
  };
}

/** Opens a file to watch it. A read-only file is watched as well; the first write reports that it is read-only. */
function openToWatch(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return openSync(path, 'r');
  }
}

function toId({ dev: device, ino: inode }: BigIntStats): FileId {
  return { device, inode };
}

const NOT_THERE = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE'];

/** @throws for an error that does not tell whether the file exists. */
function idAt(path: string): FileId | 'missing' {
  try {
    return toId(statSync(path, { bigint: true }));
  } catch (error) {
    if (NOT_THERE.includes((error as NodeJS.ErrnoException).code ?? '')) return 'missing';
    throw error;
  }
}

const HAPPENED: Readonly<Record<FileLoss, string>> = {
  'file-deleted': 'was deleted or moved',
  'file-replaced': 'was replaced by another file',
  'file-truncated': 'was truncated',
  'file-overwritten': 'was overwritten with another database or with something else',
  'wal-lost': 'has lost the -wal or -shm file beside it',
  'file-damaged': 'is damaged',
};

const RESTORE =
  'Stop this server, then put the database back, or its latest backup (with a backup, remove the -wal and -shm files beside it), and ' +
  'start the server again.';

/** Describes the loss for the log, with the path and what to do. */
function describeLoss(path: string, loss: FileLoss): string {
  const advice =
    loss === 'wal-lost'
      ? 'Stop this server with SIGTERM, never with SIGKILL: as it ends, it writes what that file held into the database. Then start it again.'
      : RESTORE;
  return `The database file ${path} ${HAPPENED[loss]} while this server had it open. Nothing more is recorded. ${advice}`;
}
