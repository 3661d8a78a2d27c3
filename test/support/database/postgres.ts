import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeEach, inject } from 'vitest';
import { migratePostgres } from '../../../src/session-store/postgres/migrate.ts';
import { skipBecause } from '../skip-because.ts';

export interface TestDatabase {
  readonly url: string;
  /** Runs SQL without parameters over another connection than the store's, as another program would. */
  query<Row extends object = Record<string, unknown>>(sql: string): Promise<Row[]>;
  /** Opens a connection that stays open, for a transaction for example. The caller ends it. */
  connect(): Promise<Client>;
  /** Resolves once any connection waits for a lock. */
  untilSomebodyWaits(): Promise<void>;
  /** Deletes all rows, which is faster than creating another database. */
  clear(): Promise<void>;
  /** Ends all connections to the database except its own, as an administrator can. */
  disconnectAll(): Promise<void>;
  drop(): Promise<void>;
}

/** Tables that refer to other tables come first. */
const TABLES = [
  'capabilities',
  'events',
  'idempotency_keys',
  'parts',
  'session_clients',
  'multipart_uploads',
  'upload_sessions',
  'owner_usage',
  'sweep_lease',
  'tokens',
];
/** Much faster than TRUNCATE for a handful of rows. */
const CLEAR = TABLES.map((table) => `DELETE FROM ${table}`).join('; ');

/** Skips each test of the calling file, with the reason, if there is no PostgreSQL. */
export function needsPostgres(): void {
  afterAll(async () => {
    if (template === undefined) return;
    const name = await template;
    // The next file of the same worker creates its own template.
    template = undefined;
    await asAdmin((admin) => admin.query(`DROP DATABASE ${name}`));
  });
  beforeEach(({ task, skip }) => {
    const postgres = inject('postgres');
    if ('missing' in postgres) skipBecause({ task, skip }, postgres.missing);
  });
}

/** Creates a database on the shared server, with the schema and no rows. */
export async function createTestDatabase(): Promise<TestDatabase> {
  template ??= makeTemplate();
  return makeDatabase(`TEMPLATE ${await template}`);
}

/** Creates a database with nothing in it, not even the schema. */
export function createEmptyDatabase(options = "ENCODING 'UTF8'"): Promise<TestDatabase> {
  return makeDatabase(`TEMPLATE template0 ${options}`);
}

/** The template database of this test file. Copying it takes a fraction of the time that the migrations take. */
let template: Promise<string> | undefined;

async function makeTemplate(): Promise<string> {
  const name = aName('template');
  await asAdmin(async (admin) => {
    await admin.query(`CREATE DATABASE ${name} TEMPLATE template0 ${await localeOf(admin)}`);
  });
  await migratePostgres(urlOf(name));
  return name;
}

/** A language's locale orders upper and lower case, digits and signs differently from their bytes. The stores must not depend on it. */
async function localeOf(admin: Client): Promise<string> {
  const { rows } = await admin.query<{ server_version_num: string }>('SHOW server_version_num');
  return Number(rows[0]?.server_version_num) >= 150_000 ? `LOCALE_PROVIDER icu ICU_LOCALE 'en-US'` : '';
}

async function makeDatabase(options: string): Promise<TestDatabase> {
  const name = aName('test');
  await asAdmin((admin) => admin.query(`CREATE DATABASE ${name} ${options}`));
  return {
    ...databaseAt(urlOf(name)),
    async drop() {
      await asAdmin((admin) => admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    },
  };
}

/** Gives access to an existing database on any server. */
export function databaseAt(url: string): Omit<TestDatabase, 'drop'> {
  const connection = lastingConnection(url);
  return {
    url,
    query: (sql) => withClient(url, async (client) => (await client.query(sql)).rows),
    async connect() {
      const client = new Client({ connectionString: url });
      // A test may stop the server.
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    async untilSomebodyWaits() {
      const waiting = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
      await withClient(url, async (client) => {
        while ((await client.query(`SELECT 1 ${waiting}`)).rows.length === 0) await pause(5);
      });
    },
    async clear() {
      await (await connection()).query(CLEAR);
    },
    async disconnectAll() {
      const others = 'FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';
      await withClient(url, (client) => client.query(`SELECT pg_terminate_backend(pid, 5000) ${others}`));
    },
  };
}

/** Opens a connection at the first call and keeps it, because connecting costs more than one query. Opens another if that one has ended. */
function lastingConnection(url: string): () => Promise<Client> {
  let current: Promise<Client> | undefined;
  return () => {
    current ??= connect(url, () => {
      current = undefined;
    });
    return current;
  };
}

async function connect(url: string, onEnd: () => void): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', onEnd);
  client.on('end', onEnd);
  await client.connect();
  return client;
}

function aName(kind: string): string {
  return `partway_${kind}_${randomBytes(6).toString('hex')}`;
}

function serverUrl(): string {
  const postgres = inject('postgres');
  if ('missing' in postgres) throw new Error(postgres.missing);
  return postgres.url;
}

function urlOf(database: string): string {
  return Object.assign(new URL(serverUrl()), { pathname: `/${database}` }).href;
}

async function asAdmin(work: (admin: Client) => Promise<unknown>): Promise<void> {
  await withClient(serverUrl(), work);
}

async function withClient<Result>(url: string, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
