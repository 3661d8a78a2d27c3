import type { SqliteDatabase } from './driver.ts';
import type { DatabaseFile } from './file/database-file.ts';
import { wrapDatabase } from './wrap-database.ts';

/** SQLite's codes for a file with contents that it did not write (https://www.sqlite.org/rescode.html). */
const DAMAGED = /^SQLITE_(?:CORRUPT|NOTADB)/;

/**
 * Wraps the database so that a lost file is never used. Each write checks the file first, and a transaction once; reads rely on the last
 * check.
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
