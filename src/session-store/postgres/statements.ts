import type { Instant } from '../../session/session.ts';
import type { ClientReport, ReportAnswer } from '../port/parts.ts';
import type { NewSession } from '../port/sessions.ts';
import type { Dialect } from '../sql/dialect.ts';
import type { EventRow } from '../sql/event-rows.ts';
import { EVENT_COLUMNS, NO_EARLIER_PENDING } from '../sql/event-statements.ts';
import { SESSION_COLUMNS, type SessionRow } from '../sql/session-rows.ts';
import { UNFINISHED } from '../sql/session-statements.ts';
import { mapTable, type Runnable, type Runnables, type Sql, type SqlTable, sql } from '../sql/statement.ts';
import { sharedStatements } from '../sql/statements.ts';
import type { Generation } from '../sql/upload-statements.ts';
import type { PostgresDatabase } from './driver.ts';
import type { PartColumns, RecordedPart } from './parts.ts';
import { type Statement, statement } from './statement.ts';

export const POSTGRES_DIALECT: Dialect = {
  greatest: (a, b) => `GREATEST(${a}, ${b})`,
  least: (a, b) => `LEAST(${a}, ${b})`,
  total: (column) => `COALESCE(SUM(${column}::float8), 0)`,
  inList: (column, parameter) => `${column} = ANY(${parameter}::text[])`,
  startsWith: (column, prefix) => `starts_with(${column}, ${prefix})`,
  dueEvents: 'events',
  toList: (texts) => texts,
  toFlag: (value) => value,
};

const TABLE = {
  ...sharedStatements(POSTGRES_DIALECT),
  /** Held until the transaction ends, so that the sessions of an owner are checked and counted one after another. */
  lockOwner: sql<{ owner: string }>(`
    INSERT INTO owner_usage (owner, open_sessions, reserved_bytes, settled_bytes) VALUES (@owner, 0, 0, 0)
    ON CONFLICT (owner) DO UPDATE SET open_sessions = owner_usage.open_sessions`),
  findTaken: sql<
    Pick<NewSession, 'owner' | 'bucket' | 'keyRequest' | 'size' | 'fingerprint'> & { idempotencyKey: string | null }
  >(`
    SELECT 1 FROM idempotency_keys WHERE owner = @owner AND idempotency_key = @idempotencyKey
    UNION ALL
    SELECT 1 FROM upload_sessions
    WHERE owner = @owner AND bucket = @bucket AND hashtextextended(key_request, 0) = hashtextextended(@keyRequest, 0)
      AND key_request = @keyRequest AND size = @size AND fingerprint = @fingerprint AND ${UNFINISHED}
    LIMIT 1`),
  // A standby is always read-only, whatever was set.
  ping: sql<object, { read_only: 'on' | 'off' }>(`
    SELECT current_setting('transaction_read_only') AS read_only, (SELECT 1 FROM upload_sessions LIMIT 1) AS found`),

  /** Serialises reports and listings of a session, so that decisions on its rows stay true until they are written. */
  lockSession: sql<{ sessionId: string }>('SELECT 1 FROM upload_sessions WHERE session_id = @sessionId FOR NO KEY UPDATE'),
  recordReport: sql<
    PartColumns & Omit<ClientReport, 'parts'> & { rememberedClients: number },
    SessionRow & { outcome: ReportAnswer['outcome'] | null }
  >(`
    SELECT answer.outcome, ${SESSION_COLUMNS}
    FROM record_report(@sessionId, @generation, @clientId, @rememberedClients, @partNumbers, @etags, @checksums, @sizes,
      @inFlightBytes, @bytesPerSecond, @at) answer,
      LATERAL (SELECT (answer.session).*) s, LATERAL (SELECT (answer.upload).*) u`),
  listRecordedParts: sql<Generation, RecordedPart>(`
    SELECT part_number, etag, checksum, size, recorded_at FROM parts
    WHERE session_id = @sessionId AND generation = @generation`),
  dropParts: sql<Generation & { partNumbers: readonly number[] }>(`
    DELETE FROM parts
    WHERE session_id = @sessionId AND generation = @generation AND part_number = ANY(@partNumbers::integer[])`),
  recordParts: sql<PartColumns & Generation & { at: Instant }>(`
    INSERT INTO parts (session_id, generation, part_number, etag, checksum, size, recorded_at)
      SELECT @sessionId, @generation::integer, part_number, etag, checksum, size, @at::bigint
      FROM unnest(@partNumbers::integer[], @etags::text[], @checksums::text[], @sizes::bigint[])
        AS given (part_number, etag, checksum, size)
    ON CONFLICT (session_id, generation, part_number) DO UPDATE SET etag = excluded.etag, checksum = excluded.checksum,
      size = excluded.size, recorded_at = excluded.recorded_at`),

  // Simultaneous leases get different events: none waits for a row that another one is locking.
  leaseEvents: sql<{ at: Instant; until: Instant; limit: number }, EventRow>(`
    WITH due AS MATERIALIZED (
      SELECT e.event_id FROM events e
      WHERE e.status = 'pending' AND e.next_attempt_at <= @at AND ${NO_EARLIER_PENDING}
      ORDER BY e.next_attempt_at LIMIT @limit FOR UPDATE OF e SKIP LOCKED),
    leased AS (
      UPDATE events SET attempts = attempts + 1, next_attempt_at = @until
      FROM due WHERE events.event_id = due.event_id RETURNING events.*)
    SELECT ${EVENT_COLUMNS} FROM leased e JOIN upload_sessions s ON s.session_id = e.session_id`),
};

type Statements<Table extends SqlTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Sql<infer Parameters, infer Row> ? Statement<Parameters, Row> : never;
};

/** Every statement of the session store. A test explains each of them, and accepts no scan of a table that grows. */
export const STATEMENTS = mapTable(TABLE, statement) as unknown as Statements<typeof TABLE>;

/** The statements as functions, each a transaction of its own. */
export function toRunnables(db: PostgresDatabase): Runnables<typeof TABLE> {
  return mapTable(
    STATEMENTS,
    (prepared: Statement<object, unknown>): Runnable<object, unknown> => ({
      all: async (parameters) => (await db.run(prepared, parameters)).rows,
      first: async (parameters) => (await db.run(prepared, parameters)).rows[0],
      run: async (parameters) => (await db.run(prepared, parameters)).changes,
    }),
  ) as unknown as Runnables<typeof TABLE>;
}
