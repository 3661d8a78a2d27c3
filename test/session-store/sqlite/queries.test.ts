import { afterAll, describe, expect, it } from 'vitest';
import { openSqliteDatabase } from '../../../src/session-store/sqlite/driver.ts';
import { migrateSqlite } from '../../../src/session-store/sqlite/migrate.ts';
import { prepareStatements, type Statements } from '../../../src/session-store/sqlite/statements.ts';

const db = openSqliteDatabase(':memory:');
migrateSqlite(db);
const statements = prepareStatements(db);
afterAll(() => {
  db.close();
});

/** The query plan: one line for each table that the statement reads. */
function explain(sql: string): string[] {
  const parameters = Object.fromEntries([...sql.matchAll(/@(\w+)/g)].map(([, name]) => [name, 0]));
  const positional = [...sql.matchAll(/\?/g)].map(() => 0);
  const rows = db.prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...positional, parameters);
  return rows.map((row) => row.detail);
}

function planOf(name: keyof Statements): string[] {
  return explain(statements[name].source);
}

/** Statements that may scan: those that need every row, or stop at the first. */
const MAY_SCAN: Partial<Record<keyof Statements, RegExp>> = {
  // Some hundreds of rows, for administrators.
  listTokens: /^SCAN tokens/,
  // A row for each owner, which is the name of a token.
  sumUsage: /^SCAN owner_usage$/,
  // Only while a foreign key is violated within the transaction, which never happens.
  insertSession: /^SCAN (?:capabilities|idempotency_keys)$/,
  // Ends at the first row.
  ping: /^SCAN upload_sessions/,
  // Scans what the index found, up to the limit of a token.
  insertCapability: /^SCAN granted$/,
  // The indexes hold only pending events, and uploads that have not ended.
  countBacklog: /^SCAN events USING COVERING INDEX events_due$/,
  leftoverUploads: /^SCAN u USING INDEX multipart_uploads_not_ended$/,
};

describe('every statement of the SQLite store', () => {
  it.each(Object.keys(statements) as (keyof Statements)[])('%s reads through an index', (name) => {
    const scans = planOf(name)
      .filter((detail) => detail.startsWith('SCAN'))
      // Not a scan of a table: an IN list passed as JSON, and a constant row.
      .filter((detail) => !detail.includes('json_each') && detail !== 'SCAN CONSTANT ROW')
      .filter((detail) => !MAY_SCAN[name]?.test(detail));

    expect(scans).toStrictEqual([]);
  });

  it.each(Object.keys(statements) as (keyof Statements)[])('%s sorts nothing: the index has the order', (name) => {
    expect(planOf(name).filter((detail) => detail.includes('TEMP B-TREE'))).toStrictEqual([]);
  });
});

describe('the hot queries', () => {
  it.each(['getSession', 'listAll', 'listOfOwnerInStatus', 'listUnchangedSince'] as const)('%s reads no parts', (name) => {
    expect(planOf(name)).toHaveLength(2);
  });

  it.each([
    ['listAll', 'upload_sessions_newest ((created_at,session_id)<(?,?))'],
    ['listOfOwner', 'upload_sessions_newest_of_owner (owner=? AND (created_at,session_id)<(?,?))'],
    ['listInStatus', 'upload_sessions_newest_in_status (status=? AND (created_at,session_id)<(?,?))'],
    ['listOfOwnerInStatus', 'upload_sessions_newest_of_owner_in_status (owner=? AND status=? AND (created_at,session_id)<(?,?))'],
    ['listUnchangedSince', 'upload_sessions_unchanged (status=? AND updated_at<?)'],
    ['listIdleSince', 'upload_sessions_idle (status=? AND last_activity_at<?)'],
    ['findByFingerprint', 'upload_sessions_fingerprint (fingerprint=?)'],
  ] as const)('%s uses %s', (name, index) => {
    expect(planOf(name)).toContain(`SEARCH s USING INDEX ${index}`);
  });

  it('countUnfinished reads only unfinished sessions, and only in the index', () => {
    expect(planOf('countUnfinished')).toStrictEqual([
      expect.stringMatching(/^SEARCH upload_sessions USING COVERING INDEX \w+ \(status=\?\)$/),
    ]);
  });

  it('sumHeldBytes reads only unfinished sessions', () => {
    expect(planOf('sumHeldBytes')).toStrictEqual([
      expect.stringMatching(/^SEARCH upload_sessions USING INDEX \w+ \(status=\?\)$/),
    ]);
  });

  it('countBacklog reads only undelivered events, and only in indexes', () => {
    expect(planOf('countBacklog').filter((detail) => detail.includes('events'))).toStrictEqual([
      'SCAN events USING COVERING INDEX events_due',
      'SEARCH events USING COVERING INDEX events_newest_in_status (status=?)',
      'SEARCH events USING COVERING INDEX events_newest_in_status (status=?)',
    ]);
  });

  it.each([
    ['dueEvents', 'events_due (next_attempt_at<?)'],
    ['listEvents', 'events_newest ((created_at,event_id)<(?,?))'],
    ['listEventsInStatus', 'events_newest_in_status (status=? AND (created_at,event_id)<(?,?))'],
    ['deleteOldEvents', 'events_newest_in_status (status=? AND created_at<?)'],
  ] as const)('%s uses %s', (name, index) => {
    expect(planOf(name).join('\n')).toContain(`SEARCH e USING INDEX ${index}`);
  });

  it('findUpload reads only the index', () => {
    expect(planOf('findUpload')).toStrictEqual([
      'SEARCH multipart_uploads USING COVERING INDEX multipart_uploads_upload_id (upload_id=?)',
    ]);
  });
});
