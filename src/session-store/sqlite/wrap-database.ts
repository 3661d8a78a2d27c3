import { SessionStoreUnavailable } from '../port/unavailable.ts';
import type { SqliteDatabase, SqliteStatement } from './driver.ts';
import { explainSqliteError } from './errors.ts';

type Wrapper = <Result>(work: () => Result) => Result;

export interface Wrapping {
  /** Wraps each call that only reads, and `exec`. */
  readonly read: Wrapper;
  readonly write: Wrapper;
  readonly transaction: Wrapper;
}

/** Wraps each call of a database, except for rows that are read one by one. */
export function wrapDatabase(db: SqliteDatabase, { read, write, transaction }: Wrapping): SqliteDatabase {
  return {
    exec: (sql) => read(() => db.exec(sql)),
    prepare: (sql) => wrapStatement(db.prepare(sql)),
    transaction(work) {
      const inner = db.transaction(work);
      return { immediate: () => transaction(() => inner.immediate()) };
    },
    close: () => db.close(),
  };

  function wrapStatement<Parameters extends unknown[], Row>(
    statement: SqliteStatement<Parameters, Row>,
  ): SqliteStatement<Parameters, Row> {
    return {
      source: statement.source,
      run: (...parameters) => write(() => statement.run(...parameters)),
      get: (...parameters) => read(() => statement.get(...parameters)),
      all: (...parameters) => read(() => statement.all(...parameters)),
      iterate: (...parameters) => statement.iterate(...parameters),
    };
  }
}

/** Wraps the database so that temporary errors are SessionStoreUnavailable, which `onUnavailable` gets as well. */
export function explaining(db: SqliteDatabase, onUnavailable: (error: SessionStoreUnavailable) => void): SqliteDatabase {
  return wrapDatabase(db, { read: explained, write: explained, transaction: explained });

  function explained<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      const explanation = explainSqliteError(error);
      if (explanation instanceof SessionStoreUnavailable) onUnavailable(explanation);
      throw explanation;
    }
  }
}
