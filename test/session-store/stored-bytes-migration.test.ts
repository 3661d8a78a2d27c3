import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { POSTGRES_MIGRATIONS } from '../../src/session-store/postgres/migrate.ts';
import { openSqliteDatabase } from '../../src/session-store/sqlite/driver.ts';
import { SQLITE_MIGRATIONS } from '../../src/session-store/sqlite/migrate.ts';
import { createEmptyDatabase, needsPostgres } from '../support/database/postgres.ts';

/** The migrations before the one that counts stored bytes, and that one. */
function migrations(folder: string): { before: string; counting: string } {
  const files = readdirSync(folder).sort();
  const read = (some: readonly string[]) => some.map((file) => readFileSync(path.join(folder, file), 'utf8')).join('\n');
  const index = files.indexOf('0005_stored_bytes.sql');
  return { before: read(files.slice(0, index)), counting: read(files.slice(index, index + 1)) };
}

/** Sessions of an older server: `healed` has parts of two uploads, and `empty` none. */
const rows = (no: string) => `
  ${['open', 'healed', 'empty']
    .map(
      (
        id,
      ) => `INSERT INTO upload_sessions (session_id, owner, bucket, object_key, file_name, size, metadata, overwrite, strategy, part_size,
      part_count, status, generation, created_at, updated_at, last_activity_at)
    VALUES ('${id}', 'alice', 'uploads', '${id}', 'f', 100, '{}', ${no}, 'multipart', 10, 10, 'open', ${id === 'healed' ? 2 : 1}, 5, 5, 5);`,
    )
    .join('\n')}
  INSERT INTO multipart_uploads (session_id, generation, upload_id, initiated_at)
  VALUES ('open', 1, 'u1', 5), ('healed', 1, 'u2', 5), ('healed', 2, 'u3', 5), ('empty', 1, 'u4', 5);
  INSERT INTO parts (session_id, generation, part_number, etag, size, recorded_at)
  VALUES ('open', 1, 1, 'e', 1, 5), ('open', 1, 2, 'e', 20, 5), ('healed', 1, 1, 'e', 300, 5), ('healed', 2, 1, 'e', 4000, 5);`;

const STORED = 'SELECT session_id, stored_bytes, parts_stored FROM upload_sessions ORDER BY session_id';
const EXPECTED = [
  { session_id: 'empty', stored_bytes: 0, parts_stored: 0 },
  { session_id: 'healed', stored_bytes: 4_000, parts_stored: 1 },
  { session_id: 'open', stored_bytes: 21, parts_stored: 2 },
];

describe('sessions from before stored bytes were counted have those of their current upload', () => {
  it('in SQLite', () => {
    const db = openSqliteDatabase(':memory:');
    const { before, counting } = migrations(SQLITE_MIGRATIONS);
    db.exec(before + rows('0') + counting);

    expect(db.prepare<[]>(STORED).all()).toStrictEqual(EXPECTED);
    db.close();
  });

  describe('in PostgreSQL', () => {
    needsPostgres();

    it('as well', async () => {
      const database = await createEmptyDatabase();
      const { before, counting } = migrations(POSTGRES_MIGRATIONS);
      await database.query(before + rows('false') + counting);

      const stored = await database.query<{ stored_bytes: string }>(STORED);
      expect(stored.map((row) => ({ ...row, stored_bytes: Number(row.stored_bytes) }))).toStrictEqual(EXPECTED);
      await database.drop();
    });
  });
});
