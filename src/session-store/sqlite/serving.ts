import { randomInt } from 'node:crypto';
import type { SessionStoreUnavailable } from '../port/unavailable.ts';
import { type Checkpoints, startCheckpoints } from './checkpoints.ts';
import { openSqliteDatabase, type SqliteDatabase, setBusyTimeout } from './driver.ts';
import { cannotBeOpened } from './errors.ts';
import { type DatabaseFile, watchDatabaseFile } from './file/database-file.ts';
import { guarding } from './guarded-database.ts';
import { migrateSqlite } from './migrate.ts';
import { lockForServer } from './server-lock.ts';

/** The database of a server: locked against other servers, watched for loss, and checkpointed in a thread. */
export interface Serving {
  readonly db: SqliteDatabase;
  readonly file: DatabaseFile;
  /** The `user_version` that identifies the file. */
  readonly mark: number;
  /** Call once the mark was written: from then on it identifies the file. */
  recognize(): void;
  close(): Promise<void>;
}

/** Short, because the process does nothing else while a call waits for a lock, and a server must answer that it waits for its database. */
const OPENING_BUSY_TIMEOUT_MS = 500;

/** @throws SessionStoreStartError */
export function openServing(path: string, onLoss: (error: SessionStoreUnavailable) => void): Serving {
  const lock = lockForServer(path);
  let db: SqliteDatabase | undefined;
  try {
    db = openSqliteDatabase(path, OPENING_BUSY_TIMEOUT_MS);
    // Migrating opens the WAL as well, which is watched, too.
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
      // Until a checkpoint the mark is only in the WAL, and does not reveal an overwritten file.
      try {
        db.exec('PRAGMA wal_checkpoint(PASSIVE)');
      } catch {
        // The database has no room: the thread tries again, and the next commit that needs room reports it.
      }
      file.check();
    },
    async close() {
      await checkpoints.stop();
      // As it closes, the last connection writes the WAL into the file, whatever that file is by now.
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
