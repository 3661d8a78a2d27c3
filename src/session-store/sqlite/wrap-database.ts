import type { SqliteDatabase, SqliteStatement } from './driver.ts';

type Around = <Result>(work: () => Result) => Result;

export interface Wrapping {
  /** Around each call that only reads, and around `exec`. */
  readonly read: Around;
  readonly write: Around;
  readonly transaction: Around;
}

/** The same database, with something done around each call. Rows that are read one by one are not covered. */
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
