import { closeSync, existsSync, openSync, realpathSync, statSync } from 'node:fs';
import { SessionStoreStartError } from '../port/start-error.ts';
import { createPrivateFile, loadSqlite } from './driver.ts';
import { cannotBeOpened } from './errors.ts';

/** A server that was told to stop may be at its very end. */
const WAIT_MS = 1_000;

/**
 * Makes this process the one server of the database until it is released. The lock is SQLite's own, on an empty
 * database of that name beside it: the kernel drops it when the process ends, however it ends. The file itself stays, and says nothing.
 * Commands on the server's machine (`token`, `backup`) take no such lock.
 * @throws SessionStoreStartError where another server has it.
 */
export function lockForServer(path: string): { release(): void } {
  createDatabaseFile(path);
  refuseOtherNames(path);
  // The same for every symbolic link to the database.
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
    // A symbolic link may be there before the file that it names.
    if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    throw cannotBeOpened(path, error);
  }
}

/** SQLite keeps its WAL beside the name that it opens: through two hard links, two programs would damage one database. */
function refuseOtherNames(path: string): void {
  const entry = statSync(path);
  // A folder has a name in each folder below it.
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
