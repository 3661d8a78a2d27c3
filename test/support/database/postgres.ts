import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeEach, inject } from 'vitest';
import { migratePostgres } from '../../../src/session-store/postgres/migrate.ts';
import { skipBecause } from '../skip-because.ts';

export interface TestDatabase {
  readonly url: string;
  /** As another program would, beside the store: SQL without parameters. */
  query<Row extends object = Record<string, unknown>>(sql: string): Promise<Row[]>;
  /** A connection that stays, with a transaction for example. The caller ends it. */
  connect(): Promise<Client>;
  /** Resolves once somebody waits for a lock. */
  untilSomebodyWaits(): Promise<void>;
  /** Takes all rows away: faster than another database. */
  clear(): Promise<void>;
  /** Ends all connections to it but ours, as an administrator can. */
  disconnectAll(): Promise<void>;
  drop(): Promise<void>;
}

/** Those that refer to others come first. */
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
/** On a handful of rows much faster than TRUNCATE. */
const CLEAR = TABLES.map((table) => `DELETE FROM ${table}`).join('; ');

/** For a test file that needs PostgreSQL: each of its tests is skipped, saying why, where there is none. */
export function needsPostgres(): void {
  afterAll(async () => {
    if (template === undefined) return;
    const name = await template;
    // The next file of the same worker makes its own.
    template = undefined;
    await asAdmin((admin) => admin.query(`DROP DATABASE ${name}`));
  });
  beforeEach(({ task, skip }) => {
    const postgres = inject('postgres');
    if ('missing' in postgres) skipBecause({ task, skip }, postgres.missing);
  });
}

/** A database of its own on the shared server, with the schema in it and no rows. */
export async function createTestDatabase(): Promise<TestDatabase> {
  template ??= makeTemplate();
  return makeDatabase(`TEMPLATE ${await template}`);
}

/** With nothing in it. */
export function createEmptyDatabase(options = "ENCODING 'UTF8'"): Promise<TestDatabase> {
  return makeDatabase(`TEMPLATE template0 ${options}`);
}

/** One for each test file: copying it takes a fraction of the time that migrations take. */
let template: Promise<string> | undefined;

async function makeTemplate(): Promise<string> {
  const name = aName('template');
  await asAdmin(async (admin) => {
    await admin.query(`CREATE DATABASE ${name} TEMPLATE template0 ${await localeOf(admin)}`);
  });
  await migratePostgres(urlOf(name));
  return name;
}

/** A language sorts upper and lower case, digits and signs in another order than bytes are: the stores must not notice. */
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

/** One that is there, on any server. */
export function databaseAt(url: string): Omit<TestDatabase, 'drop'> {
  const connection = lastingConnection(url);
  return {
    url,
    query: (sql) => withClient(url, async (client) => (await client.query(sql)).rows),
    async connect() {
      const client = new Client({ connectionString: url });
      // A test may take its server away.
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

/** Made when it is first asked for, and again after somebody ended it: making one costs more than what it is made for. */
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
