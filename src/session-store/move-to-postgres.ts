import type { Client } from 'pg';
import { SessionStoreStartError } from './port/start-error.ts';
import { connectToPostgres, migratePostgres } from './postgres/migrate.ts';
import { openSqliteDatabase, type SqliteDatabase } from './sqlite/driver.ts';
import { migrateSqlite } from './sqlite/migrate.ts';
import { lockForServer } from './sqlite/server-lock.ts';

/** The tables to copy, each after the tables that it refers to. The lease and the ledger belong to each database. */
const TABLES = [
  'upload_sessions',
  'multipart_uploads',
  'parts',
  'session_clients',
  'idempotency_keys',
  'tokens',
  'capabilities',
  'owner_usage',
  'events',
] as const;

/** Tables with triggers that count and write events. */
const COUNTED = ['upload_sessions', 'parts'] as const;

/** Rows for one INSERT. They are one text of some hundred kilobytes. */
const BATCH_ROWS = 1_000;

export type MovedRows = Readonly<Record<(typeof TABLES)[number], number>>;

/**
 * Copies a SQLite database to an empty PostgreSQL database, completely or not at all. The SQLite file is read in one transaction and does
 * not change. Its server must be stopped, because its later records would be missing in PostgreSQL.
 * @throws SessionStoreStartError if a server runs, or the target is not empty.
 */
export async function moveToPostgres(sqlitePath: string, url: string): Promise<MovedRows> {
  const lock = lockForServer(sqlitePath);
  try {
    return await move(sqlitePath, url);
  } finally {
    lock.release();
  }
}

async function move(sqlitePath: string, url: string): Promise<MovedRows> {
  const source = openSqliteDatabase(sqlitePath);
  try {
    migrateSqlite(source);
    await migratePostgres(url);
    const target = await connectToPostgres(url);
    try {
      return await copyAll(source, target);
    } finally {
      await target.end();
    }
  } finally {
    source.close();
  }
}

async function copyAll(source: SqliteDatabase, target: Client): Promise<MovedRows> {
  await target.query('BEGIN');
  try {
    await refuseUnlessEmpty(target);
    // Counts and events are copied as well, so the triggers must not write them again.
    for (const table of COUNTED) await target.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
    source.exec('BEGIN');
    const moved: [string, number][] = [];
    for (const table of TABLES) moved.push([table, await copyTable(source, target, table)]);
    source.exec('COMMIT');
    for (const table of COUNTED) await target.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
    await target.query('COMMIT');
    return Object.fromEntries(moved) as MovedRows;
  } catch (error) {
    await target.query('ROLLBACK');
    throw error;
  }
}

async function refuseUnlessEmpty(target: Client): Promise<void> {
  for (const table of TABLES) {
    const { rowCount } = await target.query(`SELECT 1 FROM ${table} LIMIT 1`);
    if (rowCount === 0) continue;
    throw new SessionStoreStartError(
      `The PostgreSQL database is not empty: there are rows in its table ${table}.`,
      'Name an empty database: sessions of two servers cannot be mixed.',
    );
  }
}

/** Copies a table as JSON. PostgreSQL converts each value to the type of its column: booleans from 0 and 1, 64-bit numbers from digits. */
async function copyTable(source: SqliteDatabase, target: Client, table: string): Promise<number> {
  const columns = source.prepare<[], { name: string }>(`SELECT name FROM pragma_table_info('${table}')`).all();
  const names = columns.map(({ name }) => name).join(', ');
  const insert = `INSERT INTO ${table} (${names}) SELECT ${names} FROM json_populate_recordset(NULL::${table}, $1::json)`;
  let copied = 0;
  let batch: object[] = [];
  const flush = async () => {
    if (batch.length === 0) return;
    copied += (await target.query(insert, [JSON.stringify(batch)])).rowCount ?? 0;
    batch = [];
  };
  for (const row of source.prepare<[], object>(`SELECT ${names} FROM ${table}`).iterate()) {
    batch.push(row);
    if (batch.length === BATCH_ROWS) await flush();
  }
  await flush();
  return copied;
}
