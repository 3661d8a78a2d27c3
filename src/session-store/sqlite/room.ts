import type { SqliteDatabase } from './driver.ts';

/** More than a session needs: a row with all its fields full, two dozen pages of indexes, and an event. */
const TRIAL_BYTES = 256 * 1_024;
/** Cache size at which a larger transaction is written to the disk before its commit. */
const FEW_PAGES = 10;

/** Writes the mark of this start, or the existing mark again: one page. Only a write shows whether the database can be written. */
export function writeMark(db: SqliteDatabase, mark: number | undefined): void {
  const { user_version: present } = db.prepare<[], { user_version: number }>('PRAGMA user_version').get() ?? {};
  db.exec(`PRAGMA user_version = ${mark ?? present ?? 0}`);
}

/**
 * Writes as much to the WAL as a session needs, and rolls it back: the next transaction uses the room.
 * @throws the database's error if there is no room.
 */
export function tryToWriteMuch(db: SqliteDatabase): void {
  const { cache_size: usual = -2_000 } = db.prepare<[], { cache_size: number }>('PRAGMA cache_size').get() ?? {};
  const insert = db.prepare<[number]>(
    'INSERT INTO schema_migrations (number, name, applied_at) VALUES (-1, hex(zeroblob(?)), 0)',
  );
  const rolledBack = new Error('rolled back');
  const write = db.transaction(() => {
    insert.run(TRIAL_BYTES / 2);
    throw rolledBack;
  });
  db.exec(`PRAGMA cache_size = ${FEW_PAGES}`);
  try {
    write.immediate();
  } catch (error) {
    if (error !== rolledBack) throw error;
  } finally {
    db.exec(`PRAGMA cache_size = ${usual}`);
  }
}
