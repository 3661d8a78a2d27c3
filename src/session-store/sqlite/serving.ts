import { randomInt } from 'node:crypto';
import type { SessionStoreUnavailable } from '../port/session-store.ts';
import { type Checkpoints, startCheckpoints } from './checkpoints.ts';
import { openSqliteDatabase, type SqliteDatabase, setBusyTimeout } from './driver.ts';
import { cannotBeOpened } from './errors.ts';
import { type DatabaseFile, watchDatabaseFile } from './file/database-file.ts';
import { guarding } from './guarded-database.ts';
import { migrateSqlite } from './migrate.ts';
import { lockForServer } from './server-lock.ts';

/** The database of a server: locked against other servers, watched, and checkpointed in a thread. */
export interface Serving {
  readonly db: SqliteDatabase;
  readonly file: DatabaseFile;
  /** The `user_version` by which the file is known. */
  readonly mark: number;
  /** The mark was written: from now on the file is known by it. */
  recognize(): void;
  close(): Promise<void>;
}

/** Nothing else happens in the process while a call waits for a lock, and a server that waits for its database answers that it does. */
const OPENING_BUSY_TIMEOUT_MS = 500;

/** @throws SessionStoreStartError */
export function openServing(path: string, onLoss: (error: SessionStoreUnavailable) => void): Serving {
  const lock = lockForServer(path);
  let db: SqliteDatabase | undefined;
  try {
    db = openSqliteDatabase(path, OPENING_BUSY_TIMEOUT_MS);
    // This opens the WAL as well, which is watched, too.
    migrateSqlite(db);
    setBusyTimeout(db);
    return serve(path, db, lock, onLoss);
  } catch (error) {
    db?.close();
    lock.release();
    throw cannotBeOpened(path, error);
  }
}

function serve(
  path: string,
  db: SqliteDatabase,
  lock: { release(): void },
  onLoss: (error: SessionStoreUnavailable) => void,
): Serving {
  const mark = randomInt(1, 2 ** 31);
  const file = watchDatabaseFile(path, mark, onLoss);
  const checkpoints: Checkpoints = startCheckpoints(path, db, { mayBegin: () => isIntact(file) });
  return {
    db: guarding(db, file),
    file,
    mark,
    recognize() {
      // Until then it is in the WAL alone, and what is written over the file is not noticed by it.
      try {
        db.exec('PRAGMA wal_checkpoint(PASSIVE)');
      } catch {
        // The database has no room for it: the thread tries again, and the next commit that needs room says so.
      }
      file.check();
    },
    async close() {
      await checkpoints.stop();
      // The last connection writes the WAL into the file as it closes, whatever the file is by now.
      if (file.loss === undefined || file.loss.reason === 'wal-lost') db.close();
      file.close();
      lock.release();
    },
  };
}

function isIntact(file: DatabaseFile): boolean {
  try {
    file.check();
    return true;
  } catch {
    return false;
  }
}
