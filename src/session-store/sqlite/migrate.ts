import { fileURLToPath } from 'node:url';
import {
  type AppliedMigration,
  LEDGER_SQL,
  type Migration,
  migrationFailed,
  pendingMigrations,
  readMigrations,
} from '../sql/migrate.ts';
import type { SqliteDatabase } from './driver.ts';
import { explainSqliteError } from './errors.ts';

/** The same path relative to src/ and to dist/. */
export const SQLITE_MIGRATIONS = fileURLToPath(new URL('../../../migrations/sqlite', import.meta.url));

/**
 * Brings the schema up to date. Each migration and its ledger row are one transaction: if it fails or the process is killed, the schema is
 * the one before it. The ledger is read again in each transaction, so two processes may start at the same time.
 */
export function migrateSqlite(db: SqliteDatabase, folder: string = SQLITE_MIGRATIONS): void {
  const known = readMigrations(folder);
  const applyNext = db.transaction((): boolean => {
    db.exec(LEDGER_SQL);
    const [next] = pendingMigrations(readLedger(db), known);
    if (next === undefined) return false;
    apply(db, next);
    return true;
  });
  // IMMEDIATE: the ledger must not change between reading and writing it.
  while (applyNext.immediate());
}

function readLedger(db: SqliteDatabase): AppliedMigration[] {
  return db.prepare<[], AppliedMigration>('SELECT number, name FROM schema_migrations ORDER BY number').all();
}

function apply(db: SqliteDatabase, { number, name, sql }: Migration): void {
  try {
    db.exec(sql);
    const record = 'INSERT INTO schema_migrations (number, name, applied_at) VALUES (?, ?, unixepoch() * 1000)';
    db.prepare<[number, string]>(record).run(number, name);
  } catch (cause) {
    throw migrationFailed({ number, name }, explainSqliteError(cause));
  }
}
