import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import type { FileLoss } from '../port/file-loss.ts';
import { SessionStoreStartError } from '../port/start-error.ts';
import { SessionStoreUnavailable, type Unavailability } from '../port/unavailable.ts';

/** Reasons that may be gone at the next call. */
type Temporary = Exclude<Unavailability, FileLoss>;

/**
 * Codes of SQLite (https://www.sqlite.org/rescode.html) for temporary errors. Damaged files, broken constraints and bugs are not among them.
 */
const TEMPORARY: readonly (readonly [RegExp, Temporary])[] = [
  [/^SQLITE_FULL$/, 'full'],
  [/^SQLITE_READONLY/, 'read-only'],
  // Includes a limit on the size of files, and a disk without room for the -shm file.
  [/^SQLITE_(?:IOERR|CANTOPEN)/, 'disk-error'],
  // Another process held the lock for longer than we wait.
  [/^SQLITE_(?:BUSY|PROTOCOL|NOMEM)/, 'away'],
];

/** Turns a temporary error of the driver into SessionStoreUnavailable; returns other errors as they are. */
export function explainSqliteError(error: unknown): unknown {
  const reason = unavailabilityOf(error);
  if (reason === undefined) return error;
  const { message, code } = error as Error & { code: string };
  return new SessionStoreUnavailable(`SQLite cannot serve now: ${message} (${code}).`, reason, { cause: error });
}

function unavailabilityOf(error: unknown): Temporary | undefined {
  const { name, code = '' } = error as { name?: string; code?: string };
  return name === 'SqliteError' ? TEMPORARY.find(([codes]) => codes.test(code))?.[1] : undefined;
}

/** The error for a database that cannot be opened, with a hint for the administrator. A SessionStoreStartError is returned as it is. */
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

const HINTS: Readonly<Record<Temporary, string>> = {
  away: 'Check that PARTWAY_DATABASE_URL names a SQLite file, or a new one in a folder that this user may write to.',
  full: 'Make room on its disk, and start the server again. Never delete the -wal file beside it: it holds committed data.',
  'disk-error':
    'Check its disk: it may be full, or failing. Never delete the -wal file beside it: it holds committed data. ' +
    'PARTWAY_DATABASE_URL names the file, or a new one in a folder that this user may write to.',
  'read-only':
    'Let this user write to the file and to its folder. If the file system is mounted read-only, check its disk first: an error ' +
    'may have caused that. PARTWAY_DATABASE_URL names the file.',
};

/** Finds out why the file cannot be written. SQLite opens a read-only file without an error, and says little if it cannot create files beside it. */
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

/** Whether SQLite could not open the file: it has one code for a folder in its place and for a disk without room for the files beside it. */
function isCannotOpen(error: unknown): boolean {
  return /^SQLITE_CANTOPEN/.test(String((error as { code?: unknown }).code));
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

/** Recognises a full disk when the file is created, which our own system call does before SQLite opens it. */
function fullDisk(error: unknown): Temporary | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'full' : undefined;
}
