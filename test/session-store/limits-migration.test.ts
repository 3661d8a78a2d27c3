import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { NO_LIMITS } from '../../src/session/access.ts';
import { LEDGER_SQL } from '../../src/session-store/sql/migrate.ts';
import { openSqliteDatabase } from '../../src/session-store/sqlite/driver.ts';
import { SQLITE_MIGRATIONS } from '../../src/session-store/sqlite/migrate.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';

/** A database from partway 0.1. */
function anOldDatabase(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'partway-old-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'partway.db');
  const db = openSqliteDatabase(file);
  db.exec(LEDGER_SQL);
  db.exec(readFileSync(path.join(SQLITE_MIGRATIONS, '0001_upload_sessions.sql'), 'utf8'));
  db.exec("INSERT INTO schema_migrations VALUES (1, 'upload_sessions', 0)");
  const insert = (id: string, owner: string, status: string, size: number) =>
    db.exec(`INSERT INTO upload_sessions (session_id, owner, bucket, object_key, file_name, size, metadata, overwrite, fingerprint, strategy,
      part_size, part_count, status, ends_as, etag, generation, created_at, updated_at, last_activity_at)
      VALUES ('${id}', '${owner}', 'uploads', 'key of ${id}', 'f', ${size}, '{}', 0, 'print', 'single', ${size}, 1, '${status}', 'aborted', 'e', 1, 5, 5, 5)`);
  insert('ses_1', 'admin', 'open', 100);
  insert('ses_2', 'admin', 'completing', 20);
  insert('ses_3', 'admin', 'completed', 3_000);
  insert('ses_4', 'admin', 'expired', 40_000);
  insert('ses_5', 'laptop', 'aborted', 500_000);
  db.exec("INSERT INTO tokens (token_id, name, hash, created_at) VALUES ('t1', 'laptop', 'hash-1', 7)");
  db.close();
  return file;
}

it('a database from before tokens had limits keeps tokens and sessions, and counts their usage', async () => {
  const store = openSqliteStore(anOldDatabase());
  onTestFinished(() => store.close());

  expect(await store.listTokens()).toStrictEqual([
    {
      tokenId: 't1',
      name: 'laptop',
      hash: 'hash-1',
      scopes: ['admin'],
      limits: NO_LIMITS,
      createdAt: 7,
      expiresAt: null,
      revokedAt: null,
    },
  ]);
  expect(await store.usageOf('admin')).toStrictEqual({ openSessions: 2, reservedBytes: 120, settledBytes: 3_000 });
  expect(await store.usageOf('laptop')).toStrictEqual({ openSessions: 0, reservedBytes: 0, settledBytes: 0 });
  // The same command on the same file still finds its session.
  const query = { owner: 'admin', bucket: 'uploads', keyRequest: 'key of ses_1', size: 100, fingerprint: 'print' };
  expect(await store.findByFingerprint(query, ['open'])).toMatchObject({
    sessionId: 'ses_1',
    tags: {},
    contentDisposition: null,
  });
});
