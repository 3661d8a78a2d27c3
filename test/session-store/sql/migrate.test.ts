import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SessionStoreStartError } from '../../../src/session-store/port/start-error.ts';
import { pendingMigrations, readMigrations } from '../../../src/session-store/sql/migrate.ts';
import { openSqliteDatabase, type SqliteDatabase } from '../../../src/session-store/sqlite/driver.ts';
import { migrateSqlite, SQLITE_MIGRATIONS } from '../../../src/session-store/sqlite/migrate.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { insertOpenSession } from '../../support/database/sessions.ts';

let folder: string;
let file: string;
let db: SqliteDatabase;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'partway-migrations-'));
  file = path.join(folder, 'sessions.db');
  db = openSqliteDatabase(file);
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

function addMigration(fileName: string, sql: string): void {
  writeFileSync(path.join(folder, fileName), sql);
}

function tables(): string[] {
  const rows = db.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
  return rows.map((row) => row.name);
}

function ledger(): unknown[] {
  return db.prepare<[]>('SELECT number, name FROM schema_migrations ORDER BY number').all();
}

describe('migrateSqlite', () => {
  it('applies the migrations in order, with a ledger row for each', () => {
    addMigration('0002_b.sql', 'ALTER TABLE a RENAME TO b;');
    addMigration('0001_a.sql', 'CREATE TABLE a (x); INSERT INTO a VALUES (1);');
    addMigration('README.md', 'not a migration');

    migrateSqlite(db, folder);

    expect(tables()).toStrictEqual(['b', 'schema_migrations']);
    expect(ledger()).toStrictEqual([
      { number: 1, name: 'a' },
      { number: 2, name: 'b' },
    ]);
  });

  it('applies each only once, and later ones later', () => {
    addMigration('0001_a.sql', 'CREATE TABLE a (x);');
    migrateSqlite(db, folder);
    migrateSqlite(db, folder);
    addMigration('0002_b.sql', 'CREATE TABLE b (x);');

    migrateSqlite(db, folder);

    expect(tables()).toStrictEqual(['a', 'b', 'schema_migrations']);
  });

  it('leaves the schema and its data as before a migration that fails half-way', async () => {
    for (const name of readdirSync(SQLITE_MIGRATIONS)) copyFileSync(path.join(SQLITE_MIGRATIONS, name), path.join(folder, name));
    migrateSqlite(db, folder);
    const store = openSqliteStore(file);
    const { sessionId } = await insertOpenSession(store);
    const next = String(readMigrations(folder).length + 1).padStart(4, '0');
    addMigration(`${next}_broken.sql`, 'DELETE FROM multipart_uploads; CREATE TABLE half (x); ALTER TABLE nobody ADD COLUMN y;');

    expect(() => migrateSqlite(db, folder)).toThrow(
      /Migration \d+ "broken" failed, and nothing of it was applied: no such table: nobody/,
    );

    expect(tables()).not.toContain('half');
    expect((await store.get(sessionId))?.status).toBe('open');
    await store.close();
    const again = openSqliteStore(file);
    expect((await again.get(sessionId))?.uploadId).not.toBeNull();
    await again.close();
  });

  it('keeps the migrations before the one that failed', () => {
    addMigration('0001_a.sql', 'CREATE TABLE a (x);');
    addMigration('0002_b.sql', 'CREATE TABLE');

    expect(() => migrateSqlite(db, folder)).toThrow(SessionStoreStartError);

    expect(ledger()).toStrictEqual([{ number: 1, name: 'a' }]);
  });

  it('changes nothing in a database that a newer partway has used', () => {
    addMigration('0001_a.sql', 'CREATE TABLE a (x);');
    addMigration('0002_b.sql', 'CREATE TABLE b (x);');
    migrateSqlite(db, folder);
    rmSync(path.join(folder, '0002_b.sql'));

    expect(() => migrateSqlite(db, folder)).toThrow('has had 2 migrations, and this version of partway knows only 1');

    expect(tables()).toStrictEqual(['a', 'b', 'schema_migrations']);
  });

  it('can be run by two connections at the same time', () => {
    const other = openSqliteDatabase(file);

    migrateSqlite(db);
    migrateSqlite(other);

    expect(ledger()).toHaveLength(readMigrations(SQLITE_MIGRATIONS).length);
    other.close();
  });
});

describe('pendingMigrations', () => {
  const a = { number: 1, name: 'a', sql: '' };
  const b = { number: 2, name: 'b', sql: '' };
  const c = { number: 3, name: 'c', sql: '' };

  it('returns the migrations that the history lacks', () => {
    expect(pendingMigrations([], [a, b])).toStrictEqual([a, b]);
    expect(pendingMigrations([a], [a, b])).toStrictEqual([b]);
    expect(pendingMigrations([a, b], [a, b])).toStrictEqual([]);
  });

  it.each([
    ['a changed name', [{ number: 1, name: 'x' }], 'migration 1 "x" where migration 1 "a" belongs'],
    ['a gap', [a, c], 'migration 3 "c" where migration 2 "b" belongs'],
    ['another order', [b, a], 'migration 2 "b" where migration 1 "a" belongs'],
  ])('refuses a history with %s', (_, applied, message) => {
    expect(() => pendingMigrations(applied, [a, b, c])).toThrow(message);
  });

  it('refuses a history that is longer, and says to start the newer version', () => {
    const refusal = (): unknown => pendingMigrations([a, b], [a]);

    expect(refusal).toThrow(SessionStoreStartError);
    expect(refusal).toThrow(expect.objectContaining({ hint: expect.stringContaining('A newer partway has used it') }));
  });
});

describe('readMigrations', () => {
  it.each([
    ['a gap', ['0001_a.sql', '0003_c.sql']],
    ['a number used twice', ['0001_a.sql', '0001_b.sql']],
    ['no first one', ['0002_b.sql']],
  ])('refuses files with %s', (_, files) => {
    for (const name of files) addMigration(name, '');

    expect(() => readMigrations(folder)).toThrow('incomplete');
  });

  it('finds the SQLite migrations of this package, and no file that it would ignore', () => {
    const migrations = readMigrations(SQLITE_MIGRATIONS);

    expect(migrations).toHaveLength(readdirSync(SQLITE_MIGRATIONS).length);
    expect(migrations[0]).toStrictEqual({
      number: 1,
      name: 'upload_sessions',
      sql: readFileSync(path.join(SQLITE_MIGRATIONS, '0001_upload_sessions.sql'), 'utf8'),
    });
  });
});
