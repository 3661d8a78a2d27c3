import Database from 'better-sqlite3';
import { Client } from 'pg';
import { MiB } from '../../../src/session/part-plan.ts';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';

export interface ManySessions {
  readonly sessions: number;
  readonly storedParts: number;
  /** How many of them, the last ones, have been idle for longer than any session lives: the first sweep expires them. */
  readonly overdue: number;
}

export const PART_SIZE = 8 * MiB;
/** Parts of each session: as many are left to be sent as are stored. */
export const partCountOf = ({ storedParts }: Pick<ManySessions, 'storedParts'>): number => 2 * storedParts;

/** Id of the `index`th session, counted from 1. */
export function sessionIdOf(index: number): string {
  return `ses_${String(index).padStart(26, '0')}`;
}

/** Fills a new database by SQL, because the API would take an hour. The uploads exist only in the database. */
export async function fillDatabase(url: string, bucket: string, many: ManySessions): Promise<void> {
  if (url.startsWith('postgres:')) await fillPostgres(url, bucket, many);
  else await fillSqlite(url, bucket, many);
}

async function fillSqlite(path: string, bucket: string, many: ManySessions): Promise<void> {
  await openSqliteStore(path).close();
  const db = new Database(path);
  const numbers = (name: string, last: number) =>
    `${name}(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ${name} WHERE n < ${last})`;
  const ids = `WITH RECURSIVE ${numbers('s', many.sessions)}, ${numbers('p', many.storedParts)}`;
  db.pragma('synchronous = OFF');
  // This trigger counts stored bytes; here the rows of sessions contain the sums from the start.
  const { sql: trigger } = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'parts_stored'").get() as { sql: string };
  db.exec('DROP TRIGGER parts_stored');
  for (const insert of inserts(`printf('ses_%026d', s.n)`, bucket, many)) db.exec(insert(ids));
  db.exec(trigger);
  // Written to disk before anything is measured: otherwise the first commit would wait for more than a gigabyte.
  db.pragma('synchronous = FULL');
  db.pragma('wal_checkpoint(TRUNCATE)');
  db.close();
}

async function fillPostgres(url: string, bucket: string, many: ManySessions): Promise<void> {
  await (await openPostgresStore(url)).close();
  const client = new Client({ connectionString: url });
  await client.connect();
  const numbers = (name: string, last: number) => `${name}(n) AS (SELECT generate_series(1, ${last}))`;
  const ids = `WITH ${numbers('s', many.sessions)}, ${numbers('p', many.storedParts)}`;
  // Disables triggers and foreign keys.
  await client.query('SET session_replication_role = replica');
  for (const insert of inserts(`'ses_' || lpad(s.n::text, 26, '0')`, bucket, many)) await client.query(insert(ids));
  // In real use, autovacuum and the checkpointer would have done this long before.
  await client.query('VACUUM ANALYZE');
  await client.query('CHECKPOINT');
  await client.end();
}

/** INSERT statements for both databases; `s` are the sessions' numbers, `p` the parts' numbers. */
function inserts(sessionId: string, bucket: string, { sessions, storedParts, overdue }: ManySessions) {
  const partCount = partCountOf({ storedParts });
  const now = Date.now();
  const activity = `CASE WHEN s.n > ${sessions - overdue} THEN 0 ELSE ${now} END`;
  return [
    (
      ids: string,
    ) => `INSERT INTO upload_sessions (session_id, owner, bucket, object_key, key_request, file_name, size, metadata, tags,
        overwrite, fingerprint, strategy, part_size, part_count, status, generation, created_at, updated_at, last_activity_at,
        stored_bytes, parts_stored)
      ${ids} SELECT ${sessionId}, 'admin', '${bucket}', 'film-' || s.n, 'film-' || s.n, 'film.mp4', ${partCount * PART_SIZE}, '{}', '{}',
        false, 'v1-' || s.n, 'multipart', ${PART_SIZE}, ${partCount}, 'open', 1, ${now} + s.n, ${now}, ${activity},
        ${storedParts * PART_SIZE}, ${storedParts} FROM s`,
    (ids: string) => `INSERT INTO multipart_uploads (session_id, generation, upload_id, initiated_at)
      ${ids} SELECT ${sessionId}, 1, 'upload-' || s.n, ${now} FROM s`,
    (ids: string) => `INSERT INTO parts (session_id, generation, part_number, etag, checksum, size, recorded_at)
      ${ids} SELECT ${sessionId}, 1, p.n, '"5d41402abc4b2a76b9719d911017c592"', 'AAAAAA==', ${PART_SIZE}, ${now} FROM s CROSS JOIN p`,
  ];
}
