import type { SqliteDatabase } from './driver.ts';
import type { DatabaseFile } from './file/database-file.ts';
import { wrapDatabase } from './wrap-database.ts';

/** SQLite's words for a file that holds something else than it wrote (https://www.sqlite.org/rescode.html). */
const DAMAGED = /^SQLITE_(?:CORRUPT|NOTADB)/;

/**
 * The database as a server uses it: nothing is done with a file that was lost. Whatever writes looks at the file first, once for a
 * transaction; what reads relies on the last look.
 * @throws SessionStoreUnavailable from each method.
 */
export function guarding(db: SqliteDatabase, file: DatabaseFile): SqliteDatabase {
  let isInTransaction = false;
  return wrapDatabase(db, {
    read: guarded,
    write(work) {
      if (!isInTransaction) file.check();
      return guarded(work);
    },
    transaction(work) {
      file.check();
      isInTransaction = true;
      try {
        return guarded(work);
      } finally {
        isInTransaction = false;
      }
    },
  });

  function guarded<Result>(work: () => Result): Result {
    file.checkKnown();
    try {
      return work();
    } catch (error) {
      const { name, code = '' } = error as { name?: string; code?: string };
      throw name === 'SqliteError' && DAMAGED.test(code) ? file.lose('file-damaged', error) : error;
    }
  }
}
