import type { Client } from 'pg';
import { SessionStoreStartError } from './port/start-error.ts';
import { connectToPostgres, migratePostgres } from './postgres/migrate.ts';
import { openSqliteDatabase, type SqliteDatabase } from './sqlite/driver.ts';
import { migrateSqlite } from './sqlite/migrate.ts';
import { lockForServer } from './sqlite/server-lock.ts';

/** All that a store records, the referred-to before who refers. The lease and the ledger are each database's own. */
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

/** The tables whose changes triggers count and tell. */
const COUNTED = ['upload_sessions', 'parts'] as const;

/** A batch is one statement, whose rows are one text: some hundred kilobytes. */
const BATCH_ROWS = 1_000;

export type MovedRows = Readonly<Record<(typeof TABLES)[number], number>>;

/**
 * Copies a SQLite database to an empty PostgreSQL one, whole or not at all. The SQLite file is read in one transaction and stays as it
 * is; a server that still used it would go on without the other one, so it must be stopped.
 * @throws SessionStoreStartError where a server runs, or the target holds something already.
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
    // What they count and tell is copied, too.
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
      `The PostgreSQL database holds something already, in its table ${table}.`,
      'Name an empty database: sessions of two servers cannot be mixed.',
    );
  }
}

/** PostgreSQL makes of each value what its column is: 0 and 1 of a boolean, numbers of 64 bits from their digits. */
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
