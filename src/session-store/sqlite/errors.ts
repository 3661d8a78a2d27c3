import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { FileLoss } from '../port/file-loss.ts';
import { SessionStoreUnavailable, type Unavailability } from '../port/session-store.ts';
import { SessionStoreStartError } from '../port/start-error.ts';
import type { SqliteDatabase } from './driver.ts';
import { wrapDatabase } from './wrap-database.ts';

/** Errors that may be over at the next call. */
type Passing = Exclude<Unavailability, FileLoss>;

/**
 * Names of SQLite (https://www.sqlite.org/rescode.html). Not in here: a file that is damaged, a broken constraint, and all that is a bug.
 */
const PASSING: readonly (readonly [RegExp, Passing])[] = [
  [/^SQLITE_FULL$/, 'full'],
  [/^SQLITE_READONLY/, 'read-only'],
  // Also a limit on the size of files, and a disk that has no room for the -shm file.
  [/^SQLITE_(?:IOERR|CANTOPEN)/, 'disk-error'],
  // Another process has held the lock for longer than we wait.
  [/^SQLITE_(?:BUSY|PROTOCOL|NOMEM)/, 'away'],
];

/** Any error of the driver that may pass, in the port's words; others stay what they are. */
export function explainSqliteError(error: unknown): unknown {
  const reason = unavailabilityOf(error);
  if (reason === undefined) return error;
  const { message, code } = error as Error & { code: string };
  return new SessionStoreUnavailable(`SQLite cannot serve now: ${message} (${code}).`, reason, { cause: error });
}

function unavailabilityOf(error: unknown): Passing | undefined {
  const { name, code = '' } = error as { name?: string; code?: string };
  return name === 'SqliteError' ? PASSING.find(([codes]) => codes.test(code))?.[1] : undefined;
}

/** Why no server starts, for who runs it. An error that says so already stays what it is. */
export function cannotBeOpened(file: string, cause: unknown): SessionStoreStartError {
  if (cause instanceof SessionStoreStartError) return cause;
  const refusal = refusalToWrite(file);
  const reason = refusal === undefined ? unavailabilityOf(cause) : 'read-only';
  const isSetting = refusal?.kind === 'permission' || (isCannotOpen(cause) && !isFile(file));
  const message = cause instanceof Error ? cause.message : String(cause);
  return new SessionStoreStartError(
    `The database ${file} cannot be opened: ${message}${refusal === undefined ? '' : ` (${refusal.message})`}.`,
    HINTS[reason ?? 'away'],
    { cause, state: isSetting ? undefined : (reason ?? fullDisk(cause)) },
  );
}

const HINTS: Readonly<Record<Passing, string>> = {
  away: 'Check that PARTWAY_DATABASE_URL names a SQLite file, or a new one in a folder that this user may write to.',
  full: 'Make room on its disk, and start it again. Never delete the -wal file beside it: it holds what was committed.',
  'disk-error':
    'Check its disk: it may be full, or failing. Never delete the -wal file beside it: it holds what was committed. ' +
    'PARTWAY_DATABASE_URL names the file, or a new one in a folder that this user may write to.',
  'read-only':
    'Let this user write to the file and to its folder. A file system that is mounted read-only may be so after an error of its ' +
    'disk: check that first. PARTWAY_DATABASE_URL names the file.',
};

/** SQLite opens what it may only read, and says little where it may not even make a file beside it. */
function refusalToWrite(file: string): { readonly kind: 'permission' | 'file-system'; readonly message: string } | undefined {
  for (const name of [path.dirname(file), file]) {
    try {
      accessSync(name, constants.W_OK);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EROFS') return { kind: 'file-system', message };
      if (code === 'EACCES' || code === 'EPERM') return { kind: 'permission', message };
    }
  }
  return undefined;
}

/** SQLite's code for a folder in the place of the file as well as for a disk without room for the files beside it. */
function isCannotOpen(error: unknown): boolean {
  return /^SQLITE_CANTOPEN/.test(String((error as { code?: unknown }).code));
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** The file is made by our own call to the system, before SQLite opens it. */
function fullDisk(error: unknown): Passing | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : undefined;
}

/** The database as the store uses it: what may pass is told in the port's words, to `onUnavailable` as well. */
export function explaining(db: SqliteDatabase, onUnavailable: (error: SessionStoreUnavailable) => void): SqliteDatabase {
  return wrapDatabase(db, { read: explained, write: explained, transaction: explained });

  function explained<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      const told = explainSqliteError(error);
      if (told instanceof SessionStoreUnavailable) onUnavailable(told);
      throw told;
    }
  }
}
