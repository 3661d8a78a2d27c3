import { closeSync, existsSync, openSync, realpathSync, statSync } from 'node:fs';
import { SessionStoreStartError } from '../port/start-error.ts';
import { createPrivateFile, loadSqlite } from './driver.ts';
import { cannotBeOpened } from './errors.ts';

/** Wait for a server that is about to end. */
const WAIT_MS = 1_000;

/**
 * Makes this process the only server of the database until the lock is released. It is one of SQLite's own locks, on an empty database
 * beside the file: the kernel drops it when the process ends, however it ends. The lock file stays, and its existence means nothing.
 * Commands on the server's host (`token`, `backup`) take no such lock.
 * @throws SessionStoreStartError if another server holds the lock.
 */
export function lockForServer(path: string): { release(): void } {
  createDatabaseFile(path);
  refuseOtherNames(path);
  // The real path, so that all symbolic links to the database share one lock.
  const lockFile = `${realpathSync(path)}-lock`;
  try {
    createPrivateFile(lockFile);
    const lock = new (loadSqlite())(lockFile);
    try {
      lock.exec(`PRAGMA busy_timeout = ${WAIT_MS}`);
      lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      lock.close();
      throw error;
    }
    return { release: () => void lock.close() };
  } catch (error) {
    throw (error as { code?: string }).code === 'SQLITE_BUSY' ? alreadyServed(path, error) : cannotBeOpened(lockFile, error);
  }
}

function createDatabaseFile(path: string): void {
  try {
    createPrivateFile(path);
    // There may be a symbolic link whose file does not exist yet.
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    throw cannotBeOpened(path, error);
  }
}

/** Refuses a file with several hard links: SQLite keeps its WAL beside the name that it opens, so programs with different names damage it. */
function refuseOtherNames(path: string): void {
  const entry = statSync(path);
  // A folder always has several links.
  if (!entry.isFile() || entry.nlink === 1) return;
  throw new SessionStoreStartError(
    `The database ${path} has ${entry.nlink} names (hard links), and programs that open it by different names damage it.`,
    `Find them with: find / -xdev -samefile ${path}. Stop what uses the others, remove them, and start the server again.`,
  );
}

function alreadyServed(path: string, cause: unknown): SessionStoreStartError {
  return new SessionStoreStartError(
    `Another partway server has the database ${path} open.`,
    'Stop that one first, or give this one a database of its own in PARTWAY_DATABASE_URL. Several servers can share a PostgreSQL database.',
    { cause, state: 'in-use' },
  );
}
