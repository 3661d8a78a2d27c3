import type { SqliteDatabase, SqliteStatement } from '../sqlite-driver.ts';
import type { DatabaseFile } from './database-file.ts';

/** SQLite's words for a file that holds something else than it wrote (https://www.sqlite.org/rescode.html). */
const DAMAGED = /^SQLITE_(?:CORRUPT|NOTADB)/;

/**
 * The database as a server uses it: nothing is done with a file that was lost. Whatever writes looks at the file first, once for a
 * transaction; what reads relies on the last look.
 * @throws SessionStoreUnavailable from each method.
 */
export function guarding(db: SqliteDatabase, file: DatabaseFile): SqliteDatabase {
  let isInTransaction = false;
  return {
    exec: (sql) => guarded(() => db.exec(sql)),
    prepare: (sql) => guardedStatement(db.prepare(sql)),
    transaction(work) {
      const transaction = db.transaction(work);
      return {
        immediate() {
          file.check();
          isInTransaction = true;
          try {
            return guarded(() => transaction.immediate());
          } finally {
            isInTransaction = false;
          }
        },
      };
    },
    close: () => db.close(),
  };

  function guardedStatement<Parameters extends unknown[], Row>(
    statement: SqliteStatement<Parameters, Row>,
  ): SqliteStatement<Parameters, Row> {
    return {
      source: statement.source,
      run(...parameters) {
        if (!isInTransaction) file.check();
        return guarded(() => statement.run(...parameters));
      },
      get: (...parameters) => guarded(() => statement.get(...parameters)),
      all: (...parameters) => guarded(() => statement.all(...parameters)),
      iterate: (...parameters) => statement.iterate(...parameters),
    };
  }

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
