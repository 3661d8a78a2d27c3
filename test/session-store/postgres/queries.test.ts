import type { Client } from 'pg';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { LOCK_KEYS } from '../../../src/session-store/postgres/locks.ts';
import type { Statement } from '../../../src/session-store/postgres/statement.ts';
import { STATEMENTS } from '../../../src/session-store/postgres/statements.ts';
import { LIST_START } from '../../../src/session-store/sql/list-cursor.ts';
import { createTestDatabase, needsPostgres, type TestDatabase } from '../../support/database/postgres.ts';

needsPostgres();

let database: TestDatabase | undefined;
let client: Client;
beforeEach(async () => {
  if (database !== undefined) return;
  database = await createTestDatabase();
  client = await database.connect();
  // Enough rows for indexes to differ in their cost.
  await client.query(`INSERT INTO upload_sessions (session_id, owner, bucket, object_key, key_request, file_name, size, metadata, overwrite,
      fingerprint, strategy, part_size, part_count, status, ends_as, etag, generation, created_at, updated_at, last_activity_at)
    SELECT n, 'owner ' || n % 300, 'uploads', 'key ' || n, 'key ' || n, 'f', n, '{}', false, 'print ' || n, 'single', n, 1,
      CASE WHEN n % 100 = 0 THEN 'aborting' WHEN n % 4 = 0 THEN 'open' ELSE 'completed' END, 'aborted', 'e', 1, n, n, n
    FROM generate_series(1, 10000) n`);
  await client.query(`UPDATE events SET status = CASE WHEN created_at % 100 = 0 THEN 'dead' ELSE 'delivered' END, settled_at = created_at
    WHERE created_at % 100 < 99`);
  await client.query('ANALYZE');
  // The planner avoids table scans and sorts wherever it can. The plan is the one for any parameters.
  for (const detour of ['seqscan', 'sort', 'bitmapscan', 'hashjoin', 'mergejoin'])
    await client.query(`SET enable_${detour} = off`);
  await client.query('SET plan_cache_mode = force_generic_plan');
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

type Name = keyof typeof STATEMENTS;
const NAMES = Object.keys(STATEMENTS) as Name[];

const LIST = { ...LIST_START, owner: 'owner 5', status: 'aborting', bucket: null, keyPrefix: '', rows: 51 };
/** Values for the statements that are planned for their values. */
const VALUES = { ...LIST, eventId: '', before: 5_000, limit: 51 };

/** The query plan, a line for each step; prepared statements are planned for any values. */
async function planOf(name: Name): Promise<string[]> {
  const statement: Statement<typeof LIST, unknown> = STATEMENTS[name] as never;
  if (statement.name === undefined)
    return explain(statement.text, statement.values({ ...VALUES, ...(name.includes('Event') && { status: 'dead' }) }));
  const count = new Set(statement.text.match(/\$\d+/g)).size;
  const nulls = count === 0 ? '' : `(${Array.from({ length: count }, () => 'NULL').join(', ')})`;
  await client.query(`PREPARE explained AS ${statement.text}`);
  const plan = await explain(`EXECUTE explained${nulls}`);
  await client.query('DEALLOCATE explained');
  return plan;
}

async function explain(sql: string, values: unknown[] = []): Promise<string[]> {
  const { rows } = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN (COSTS OFF) ${sql}`, values);
  return rows.map((row) => row['QUERY PLAN'].trim());
}

const MAY_SCAN: Partial<Record<Name, readonly string[]>> = {
  // Stops at the first row.
  ping: ['upload_sessions'],
  // A row for each owner.
  sumUsage: ['owner_usage'],
};

describe('every statement of the PostgreSQL store', () => {
  it.each(NAMES)('%s reads no table from end to end, and sorts nothing', async (name) => {
    const mayScan = MAY_SCAN[name] ?? [];
    const scans = (await planOf(name)).flatMap((step) => /Seq Scan on (\w+)/.exec(step)?.[1] ?? []);
    expect(scans.filter((table) => !mayScan.includes(table))).toStrictEqual([]);
    expect((await planOf(name)).filter((step) => /\bSort$/.test(step))).toStrictEqual([]);
  });

  it.each([
    ['listAll', 'upload_sessions_newest'],
    ['listOfOwner', 'upload_sessions_newest_of_owner'],
    ['listInStatus', 'upload_sessions_newest_in_status'],
    ['listOfOwnerInStatus', 'upload_sessions_newest_of_owner_in_status'],
    ['listUnchangedSince', 'upload_sessions_unchanged'],
    ['listIdleSince', 'upload_sessions_idle'],
    ['listOrphanSuspects', 'upload_sessions_orphan_suspects'],
    ['findByFingerprint', 'upload_sessions_fingerprint'],
    ['findTaken', 'upload_sessions_running'],
    ['findKeyConflict', 'upload_sessions_keys'],
    ['leftoverUploads', 'multipart_uploads_not_ended'],
    ['findUpload', 'multipart_uploads_upload_id'],
    ['deleteExpiredCapabilities', 'capabilities_expiry'],
    ['leaseEvents', 'events_due'],
    ['listEvents', 'events_newest'],
    ['listEventsInStatus', 'events_newest_in_status'],
    ['countBacklog', 'events_newest_in_status'],
    ['deleteOldEvents', 'events_newest_in_status'],
    ['getSession', 'upload_sessions_pkey'],
    ['listParts', 'parts_pkey'],
  ] as const)('%s uses %s', async (name, index) => {
    expect((await planOf(name)).join('\n')).toMatch(new RegExp(`using ${index} `));
  });

  it.each(['getSession', 'listOfOwner'] as const)('%s reads no parts', async (name) => {
    expect((await planOf(name)).filter((step) => step.includes('on parts'))).toEqual([]);
  });
});

it('a key takes shared locks of the keys above it and an exclusive lock of its own, from the top down', async () => {
  const { text, values } = LOCK_KEYS;
  await client.query('BEGIN');
  await client.query(text, values({ names: ['b/a', 'b/a/b', 'b/a/b/c'], shared: [true, true, false] }));
  const held = "SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY mode";
  const modes = (await client.query<{ mode: string }>(held)).rows.map((row) => row.mode);
  await client.query('ROLLBACK');

  expect(modes).toStrictEqual(['ExclusiveLock', 'ShareLock', 'ShareLock']);
});
