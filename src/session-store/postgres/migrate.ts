import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { SessionStoreStartError } from '../port/start-error.ts';
import { SessionStoreUnavailable } from '../port/unavailable.ts';
import {
  type AppliedMigration,
  LEDGER_SQL,
  type Migration,
  migrationFailed,
  pendingMigrations,
  readMigrations,
} from '../sql/migrate.ts';
import { connectionOptions } from './driver.ts';
import { explainPostgresError } from './errors.ts';
import { LOCK_CLASS } from './locks.ts';

/** The same path relative to src/ and to dist/. */
export const POSTGRES_MIGRATIONS = fileURLToPath(new URL('../../../migrations/postgres', import.meta.url));

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Brings the schema up to date. Each migration and its ledger row are one transaction, under a lock that only one server holds: any number
 * of servers may start together, and if one fails or is killed, the schema is the one before that migration.
 * Has no time limits, because changing a large table may take long; the other servers wait for it.
 * @throws SessionStoreStartError
 */
export async function migratePostgres(url: string, folder: string = POSTGRES_MIGRATIONS): Promise<void> {
  const known = readMigrations(folder);
  const client = await connectToPostgres(url);
  try {
    await checkEncoding(client);
    while (await applyNext(client, known));
  } catch (error) {
    if (error instanceof SessionStoreStartError) throw error;
    throw cannotBeUsed(error);
  } finally {
    await client.end();
  }
}

/** Connects without time limits for statements. @throws SessionStoreStartError */
export async function connectToPostgres(url: string): Promise<Client> {
  try {
    const client = new Client({ ...connectionOptions(url), connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
    // If the connection breaks between two statements, the next one reports it.
    client.on('error', () => {});
    await client.connect();
    return client;
  } catch (error) {
    throw cannotBeUsed(error);
  }
}

async function checkEncoding(client: Client): Promise<void> {
  const { rows } = await client.query<{ server_encoding: string }>('SHOW server_encoding');
  const encoding = rows[0]?.server_encoding;
  if (encoding === 'UTF8') return;
  throw new SessionStoreStartError(
    `The database has the encoding ${encoding}, which cannot hold every file name.`,
    "Make one with UTF8: CREATE DATABASE partway ENCODING 'UTF8' TEMPLATE template0.",
  );
}

/** Applies the next migration. Returns false if there is none. */
async function applyNext(client: Client, known: readonly Migration[]): Promise<boolean> {
  await client.query('BEGIN');
  try {
    // Taken before the ledger is read, because it must not change between reading and writing it.
    await client.query('SELECT pg_advisory_xact_lock($1, 0)', [LOCK_CLASS]);
    await client.query(LEDGER_SQL);
    const [next] = pendingMigrations(await readLedger(client), known);
    if (next !== undefined) await apply(client, next);
    await client.query('COMMIT');
    return next !== undefined;
  } catch (error) {
    // Without a connection the transaction is gone anyway, and the first error is the one that matters.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function readLedger(client: Client): Promise<AppliedMigration[]> {
  const { rows } = await client.query<AppliedMigration>('SELECT number, name FROM schema_migrations ORDER BY number');
  return rows;
}

async function apply(client: Client, migration: Migration): Promise<void> {
  try {
    await client.query(migration.sql);
    const record = `INSERT INTO schema_migrations (number, name, applied_at)
      VALUES ($1, $2, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint)`;
    await client.query(record, [migration.number, migration.name]);
  } catch (error) {
    throw migrationFailed(migration, explainPostgresError(error));
  }
}

function cannotBeUsed(error: unknown): SessionStoreStartError {
  const cause = explainPostgresError(error);
  const state = cause instanceof SessionStoreUnavailable ? cause.reason : undefined;
  return new SessionStoreStartError(
    `The PostgreSQL database cannot be used: ${cause instanceof Error ? cause.message : cause}`,
    state === 'read-only'
      ? 'PARTWAY_DATABASE_URL must name the primary, and the database must take writes: neither a standby nor default_transaction_read_only.'
      : 'Check that it runs, and that PARTWAY_DATABASE_URL has its host, user, password and database. The user must own the tables.',
    { cause, state },
  );
}
