import type { Instant, StoredPart } from '../../session/session.ts';
import type { NewSession } from '../port/sessions.ts';
import type { Dialect } from '../sql/dialect.ts';
import type { EventRow } from '../sql/event-rows.ts';
import { EVENT_COLUMNS, NO_EARLIER_PENDING } from '../sql/event-statements.ts';
import { UNFINISHED } from '../sql/session-statements.ts';
import { mapTable, type Runnable, type Runnables, type Sql, type SqlTable, sql } from '../sql/statement.ts';
import { sharedStatements } from '../sql/statements.ts';
import type { Generation } from '../sql/upload-statements.ts';
import type { SqliteDatabase, SqliteStatement } from './driver.ts';

type PartParameters = Generation & StoredPart & { readonly at: Instant };

/** `ordinal` is null for a client that has not reported before, `newest` for a session without reports. */
interface Ownership {
  readonly generation: number;
  readonly opened: 0 | 1;
  readonly ordinal: number | null;
  readonly newest: number | null;
}

export const SQLITE_DIALECT: Dialect = {
  greatest: (a, b) => `MAX(${a}, ${b})`,
  least: (a, b) => `MIN(${a}, ${b})`,
  total: (column) => `TOTAL(${column})`,
  inList: (column, parameter) => `${column} IN (SELECT value FROM json_each(${parameter}))`,
  startsWith: (column, prefix) => `substr(${column}, 1, length(${prefix})) = ${prefix}`,
  // By name, because SQLite would rather read all pending events by their status.
  dueEvents: 'events INDEXED BY events_due',
  toList: (texts) => JSON.stringify(texts),
  toFlag: (value) => (value ? 1 : 0),
};

const UPSERT_PART = `
  INSERT INTO parts (session_id, generation, part_number, etag, checksum, size, recorded_at)
  VALUES (@sessionId, @generation, @partNumber, @etag, @checksum, @size, @at)
  ON CONFLICT DO UPDATE SET etag = excluded.etag, checksum = excluded.checksum, size = excluded.size,
    recorded_at = excluded.recorded_at`;

const STATEMENTS = {
  ...sharedStatements(SQLITE_DIALECT),
  findRunning: sql<NewSession>(`
    SELECT 1 FROM upload_sessions
    WHERE owner = @owner AND bucket = @bucket AND key_request = @keyRequest AND size = @size AND fingerprint = @fingerprint
      AND ${UNFINISHED}`),
  ping: sql<object>('SELECT 1 FROM upload_sessions LIMIT 1'),

  reportPart: sql<PartParameters>(UPSERT_PART),
  // A listing mostly repeats the record, so rows that do not change are not written again.
  listedPart: sql<PartParameters>(`${UPSERT_PART}
    WHERE recorded_at <= excluded.recorded_at
      AND (etag, checksum, size) IS NOT (excluded.etag, excluded.checksum, excluded.size)`),
  dropUnlistedParts: sql<Generation & { at: Instant; partNumbers: string }>(`
    DELETE FROM parts WHERE session_id = @sessionId AND generation = @generation AND recorded_at <= @at
      AND part_number NOT IN (SELECT value FROM json_each(@partNumbers))`),
  recordFigures: sql<{ sessionId: string; at: Instant; inFlightBytes: number; bytesPerSecond: number }>(`
    UPDATE upload_sessions SET last_activity_at = MAX(last_activity_at, @at), reported_at = @at,
      in_flight_bytes = @inFlightBytes, bytes_per_second = @bytesPerSecond
    WHERE session_id = @sessionId`),
  readOwnership: sql<{ sessionId: string; clientId: string }, Ownership>(`
    SELECT s.generation,
      EXISTS (SELECT 1 FROM multipart_uploads u WHERE u.session_id = s.session_id AND u.generation = s.generation) AS opened,
      (SELECT ordinal FROM session_clients WHERE session_id = @sessionId AND client_id = @clientId) AS ordinal,
      (SELECT MAX(ordinal) FROM session_clients WHERE session_id = @sessionId) AS newest
    FROM upload_sessions s WHERE s.session_id = @sessionId`),
  deleteOldClients: sql<{ sessionId: string; ordinal: number }>(
    'DELETE FROM session_clients WHERE session_id = @sessionId AND ordinal <= @ordinal',
  ),
  insertClient: sql<{ sessionId: string; clientId: string; ordinal: number; at: Instant }>(`
    INSERT INTO session_clients (session_id, client_id, ordinal, first_reported_at)
    VALUES (@sessionId, @clientId, @ordinal, @at)`),

  // By name, because SQLite would rather read all pending events and sort them.
  dueEvents: sql<{ at: Instant; limit: number }, EventRow>(`
    SELECT ${EVENT_COLUMNS} FROM events e INDEXED BY events_due JOIN upload_sessions s ON s.session_id = e.session_id
    WHERE e.status = 'pending' AND e.next_attempt_at <= @at AND ${NO_EARLIER_PENDING}
    ORDER BY e.next_attempt_at LIMIT @limit`),
  leaseEvent: sql<{ eventId: string; until: Instant }>(
    'UPDATE events SET attempts = attempts + 1, next_attempt_at = @until WHERE event_id = @eventId',
  ),
};

type Prepared<Table extends SqlTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Sql<infer Parameters, infer Row>
    ? SqliteStatement<[Parameters], Row>
    : never;
};
export type Statements = Prepared<typeof STATEMENTS>;

/**
 * Prepares every statement of the session store once, for as long as the database is open: preparing costs more than most of them take,
 * and better-sqlite3 12 built for Node 24.19+ aborts the process when a statement is garbage-collected. A test explains each of them and
 * accepts no scan of a table that grows.
 */
export function prepareStatements(db: SqliteDatabase): Statements {
  return mapTable(STATEMENTS, ({ text }) => db.prepare<object>(text)) as Statements;
}

/** The statements as functions of a promise. They run at once, when they are called. */
export function toRunnables(statements: Statements): Runnables<typeof STATEMENTS> {
  return mapTable(
    statements as Readonly<Record<string, SqliteStatement<[object], unknown>>>,
    (statement): Runnable<object, unknown> => ({
      all: async (parameters) => statement.all(parameters),
      first: async (parameters) => statement.get(parameters),
      run: async (parameters) => statement.run(parameters).changes,
    }),
  ) as Runnables<typeof STATEMENTS>;
}
