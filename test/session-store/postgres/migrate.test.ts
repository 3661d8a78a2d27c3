import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { NO_LIMITS } from '../../../src/session/access.ts';
import { SessionStoreStartError } from '../../../src/session-store/port/start-error.ts';
import { migratePostgres, POSTGRES_MIGRATIONS } from '../../../src/session-store/postgres/migrate.ts';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { LEDGER_SQL, readMigrations } from '../../../src/session-store/sql/migrate.ts';
import { SQLITE_MIGRATIONS } from '../../../src/session-store/sqlite/migrate.ts';
import { createEmptyDatabase, needsPostgres, type TestDatabase } from '../../support/database/postgres.ts';
import { insertOpenSession } from '../../support/database/sessions.ts';

it('the migrations of both databases have the same numbers and names', () => {
  const names = (folder: string) => readMigrations(folder).map(({ number, name }) => `${number} ${name}`);

  expect(names(POSTGRES_MIGRATIONS)).toStrictEqual(names(SQLITE_MIGRATIONS));
  expect(names(POSTGRES_MIGRATIONS)).toHaveLength(readdirSync(POSTGRES_MIGRATIONS).length);
});

describe('migratePostgres', () => {
  needsPostgres();

  let folder: string;
  let database: TestDatabase;
  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'partway-migrations-'));
    database = await createEmptyDatabase();
    return async () => {
      rmSync(folder, { recursive: true });
      await database.drop();
    };
  });

  function addMigration(fileName: string, sql: string): void {
    writeFileSync(path.join(folder, fileName), sql);
  }

  async function tables(): Promise<unknown[]> {
    const rows = await database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename");
    return rows.map((row) => row.tablename);
  }

  const ledger = () => database.query('SELECT number, name FROM schema_migrations ORDER BY number');

  it('applies each migration once, in order, with a ledger row, and later ones later', async () => {
    addMigration('0002_b.sql', 'ALTER TABLE a RENAME TO b;');
    addMigration('0001_a.sql', 'CREATE TABLE a (x text); INSERT INTO a VALUES (1);');
    await migratePostgres(database.url, folder);
    await migratePostgres(database.url, folder);
    addMigration('0003_c.sql', 'CREATE TABLE c (x text);');
    await migratePostgres(database.url, folder);

    expect(await tables()).toStrictEqual(['b', 'c', 'schema_migrations']);
    expect(await ledger()).toStrictEqual([
      { number: 1, name: 'a' },
      { number: 2, name: 'b' },
      { number: 3, name: 'c' },
    ]);
  });

  it('runs once if many servers start together, and all of them serve', async () => {
    const stores = await Promise.all(Array.from({ length: 8 }, () => openPostgresStore(database.url)));
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));

    expect(await ledger()).toHaveLength(readMigrations(POSTGRES_MIGRATIONS).length);
    await Promise.all(stores.map((store) => store.ping()));
  });

  it('leaves the schema, and what runs on it, as before a migration that fails half-way', async () => {
    for (const name of readdirSync(POSTGRES_MIGRATIONS))
      copyFileSync(path.join(POSTGRES_MIGRATIONS, name), path.join(folder, name));
    const store = await openPostgresStore(database.url);
    onTestFinished(() => store.close());
    const { sessionId } = await insertOpenSession(store);
    const next = String(readMigrations(folder).length + 1).padStart(4, '0');
    addMigration(
      `${next}_broken.sql`,
      'DELETE FROM multipart_uploads; CREATE TABLE half (x text); ALTER TABLE nobody ADD COLUMN y text;',
    );

    await expect(migratePostgres(database.url, folder)).rejects.toThrow(
      /Migration \d+ "broken" failed, and nothing of it was applied: .*"nobody" does not exist/,
    );

    expect(await tables()).not.toContain('half');
    expect(await store.get(sessionId)).toMatchObject({ status: 'open', uploadId: expect.any(String) });
    await migratePostgres(database.url);
  });

  it('changes nothing in a database that a newer partway has used', async () => {
    addMigration('0001_a.sql', 'CREATE TABLE a (x text);');
    addMigration('0002_b.sql', 'CREATE TABLE b (x text);');
    await migratePostgres(database.url, folder);
    rmSync(path.join(folder, '0002_b.sql'));

    const refusal = migratePostgres(database.url, folder);

    await expect(refusal).rejects.toThrow(SessionStoreStartError);
    await expect(refusal).rejects.toThrow('has had 2 migrations, and this version of partway knows only 1');
    expect(await tables()).toStrictEqual(['a', 'b', 'schema_migrations']);
  });

  it('refuses a database that cannot hold every file name, and says how to create one that can', async () => {
    const latin = await createEmptyDatabase("ENCODING 'LATIN1' LOCALE 'C'");
    onTestFinished(() => latin.drop());

    await expect(migratePostgres(latin.url)).rejects.toMatchObject({
      name: 'SessionStoreStartError',
      message: expect.stringContaining('LATIN1'),
      hint: expect.stringContaining("ENCODING 'UTF8'"),
    });
  });

  it('keeps the tokens and sessions of a database from before tokens had limits, and counts what they hold', async () => {
    const [first] = readMigrations(POSTGRES_MIGRATIONS);
    await database.query(`${LEDGER_SQL}; ${first?.sql}; INSERT INTO schema_migrations VALUES (1, 'upload_sessions', 0)`);
    const insert = (id: string, owner: string, status: string, size: number) =>
      database.query(`INSERT INTO upload_sessions (session_id, owner, bucket, object_key, file_name, size, metadata, overwrite, fingerprint,
        strategy, part_size, part_count, status, ends_as, etag, generation, created_at, updated_at, last_activity_at)
        VALUES ('${id}', '${owner}', 'uploads', 'key of ${id}', 'f', ${size}, '{}', false, 'print', 'single', ${size}, 1, '${status}', 'aborted',
        'e', 1, 5, 5, 5)`);
    await insert('ses_1', 'admin', 'open', 100);
    await insert('ses_2', 'admin', 'completing', 20);
    await insert('ses_3', 'admin', 'completed', 3_000);
    await insert('ses_4', 'admin', 'expired', 40_000);
    await insert('ses_5', 'laptop', 'aborted', 500_000);
    await database.query("INSERT INTO tokens (token_id, name, hash, created_at) VALUES ('t1', 'laptop', 'hash-1', 7)");

    const store = await openPostgresStore(database.url);
    onTestFinished(() => store.close());

    const token = { tokenId: 't1', name: 'laptop', hash: 'hash-1', createdAt: 7, expiresAt: null, revokedAt: null };
    expect(await store.listTokens()).toStrictEqual([{ ...token, scopes: ['admin'], limits: NO_LIMITS }]);
    expect(await store.usageOf('admin')).toStrictEqual({ openSessions: 2, reservedBytes: 120, settledBytes: 3_000 });
    expect(await store.usageOf('laptop')).toStrictEqual({ openSessions: 0, reservedBytes: 0, settledBytes: 0 });
    const query = { owner: 'admin', bucket: 'uploads', keyRequest: 'key of ses_1', size: 100, fingerprint: 'print' };
    expect(await store.findByFingerprint(query, ['open'])).toMatchObject({ sessionId: 'ses_1', tags: {} });
  });
});
