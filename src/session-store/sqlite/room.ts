import type { SqliteDatabase } from './driver.ts';

/** More than recording a session takes: a row with all its fields full, two dozen pages of indexes, and an event. */
const TRIAL_BYTES = 256 * 1_024;
/** A transaction that is larger goes to the disk before it is committed. */
const FEW_PAGES = 10;

/** Gives the database its mark, or writes the one that it has once more: one page, since only writing shows whether it can be written. */
export function writeMark(db: SqliteDatabase, mark: number | undefined): void {
  const { user_version: present } = db.prepare<[], { user_version: number }>('PRAGMA user_version').get() ?? {};
  db.exec(`PRAGMA user_version = ${mark ?? present ?? 0}`);
}

/**
 * Writes as much to the WAL as recording a session would, and takes it back: the room that it took there is the next transaction's.
 * @throws what the database throws where there is no room for that.
 */
export function tryToWriteMuch(db: SqliteDatabase): void {
  const { cache_size: usual = -2_000 } = db.prepare<[], { cache_size: number }>('PRAGMA cache_size').get() ?? {};
  const insert = db.prepare<[number]>(
    'INSERT INTO schema_migrations (number, name, applied_at) VALUES (-1, hex(zeroblob(?)), 0)',
  );
  const takenBack = new Error('taken back');
  const write = db.transaction(() => {
    insert.run(TRIAL_BYTES / 2);
    throw takenBack;
  });
  db.exec(`PRAGMA cache_size = ${FEW_PAGES}`);
  try {
    write.immediate();
  } catch (error) {
    if (error !== takenBack) throw error;
  } finally {
    db.exec(`PRAGMA cache_size = ${usual}`);
  }
}
