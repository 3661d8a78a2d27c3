import type { Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { Instant, StoredPart } from '../../session/session.ts';
import type {
  ClientReport,
  Expected,
  FingerprintQuery,
  IdempotencyRecord,
  LeftoverUpload,
  NewSession,
  OrphanSuspect,
  OwnerLimits,
  Totals,
  Usage,
} from '../port/session-store.ts';
import type { ListParameters } from '../sql/list-cursor.ts';
import { type NewGeneration, type PartRow, SESSION_SQL, type SessionRow } from '../sql/session-rows.ts';
import { AS_EXPECTED, ENDED, MAKES_OBJECT, NOT_ENDED, UNFINISHED } from '../sql/session-statements.ts';
import type { SqliteDatabase, SqliteStatement } from './driver.ts';
import { outboxStatements } from './outbox.ts';
import { tokenStatements } from './tokens.ts';

interface Generation {
  readonly sessionId: string;
  readonly generation: number;
}

type SinceParameters = { readonly status: Status; readonly before: Instant; readonly limit: number };
type PartParameters = Generation & StoredPart & { readonly at: Instant };

/** `ordinal` is null for a client that has not reported before, `newest` for a session that nobody has reported on. */
interface Ownership {
  readonly generation: number;
  readonly opened: 0 | 1;
  readonly ordinal: number | null;
  readonly newest: number | null;
}

const OWNERSHIP_SQL = `
  SELECT s.generation,
    EXISTS (SELECT 1 FROM multipart_uploads u WHERE u.session_id = s.session_id AND u.generation = s.generation) AS opened,
    (SELECT ordinal FROM session_clients WHERE session_id = @sessionId AND client_id = @clientId) AS ordinal,
    (SELECT MAX(ordinal) FROM session_clients WHERE session_id = @sessionId) AS newest
  FROM upload_sessions s WHERE s.session_id = @sessionId`;

/** Walks on past what lies elsewhere: an index for every prefix there cannot be. */
const IN_PLACE = '(@bucket IS NULL OR s.bucket = @bucket) AND substr(s.object_key, 1, length(@keyPrefix)) = @keyPrefix';

/**
 * Every statement of the store, prepared once and kept as long as the database: preparing costs more than most of them
 * take, and better-sqlite3 12 built for Node 24.19+ aborts the process when a statement is garbage-collected.
 * A test explains each of them and accepts no scan of a table that grows.
 */
export function prepareStatements(db: SqliteDatabase) {
  return {
    ...sessionStatements(db),
    ...uploadStatements(db),
    ...partStatements(db),
    ...tokenStatements(db),
    ...leaseStatements(db),
    ...outboxStatements(db),
  };
}
export type Statements = ReturnType<typeof prepareStatements>;

function sessionStatements(db: SqliteDatabase) {
  const list = (filter: string): SqliteStatement<[ListParameters], SessionRow> =>
    db.prepare<ListParameters, SessionRow>(`${SESSION_SQL}
      WHERE ${filter} (s.created_at, s.session_id) < (@createdAt, @sessionId) AND ${IN_PLACE}
      ORDER BY s.created_at DESC, s.session_id DESC LIMIT @rows`);
  return {
    insertSession: db.prepare<
      Omit<NewSession, 'metadata' | 'tags' | 'overwrite' | 'plan'> &
        PartPlan & { metadata: string; tags: string; overwrite: 0 | 1 }
    >(`
      INSERT INTO upload_sessions (session_id, owner, bucket, object_key, key_request, file_name, size, content_type,
        content_disposition, tags, metadata, overwrite, fingerprint, strategy, part_size, part_count, status, generation, created_at, updated_at, last_activity_at)
      VALUES (@sessionId, @owner, @bucket, @key, @keyRequest, @fileName, @size, @contentType,
        @contentDisposition, @tags, @metadata, @overwrite, @fingerprint, @strategy, @partSize, @partCount, 'creating', 1, @createdAt, @createdAt, @createdAt)`),
    claimIdempotencyKey: db.prepare<IdempotencyRecord & Pick<NewSession, 'owner' | 'sessionId' | 'createdAt'>>(`
      INSERT INTO idempotency_keys (owner, idempotency_key, request_hash, session_id, created_at)
      VALUES (@owner, @key, @requestHash, @sessionId, @createdAt) ON CONFLICT (owner, idempotency_key) DO NOTHING`),
    releaseIdempotencyKey: db.prepare<[owner: string, key: string]>(
      'DELETE FROM idempotency_keys WHERE owner = ? AND idempotency_key = ?',
    ),
    deleteIdempotencyKeys: db.prepare<[before: Instant]>('DELETE FROM idempotency_keys WHERE created_at < ?'),
    findByIdempotencyKey: db.prepare<[owner: string, key: string], { sessionId: string; requestHash: string }>(`
      SELECT session_id AS sessionId, request_hash AS requestHash FROM idempotency_keys
      WHERE owner = ? AND idempotency_key = ?`),
    getSession: db.prepare<[sessionId: string], SessionRow>(`${SESSION_SQL} WHERE s.session_id = ?`),
    findByFingerprint: db.prepare<FingerprintQuery & { statuses: string }, SessionRow>(`${SESSION_SQL}
      WHERE s.fingerprint = @fingerprint AND s.owner = @owner AND s.bucket = @bucket AND s.key_request = @keyRequest
        AND s.size = @size AND s.status IN (SELECT value FROM json_each(@statuses))
      ORDER BY s.created_at DESC, s.session_id DESC LIMIT 1`),

    // One statement for each combination of filters: `@owner IS NULL OR …` would keep SQLite from using an index.
    listAll: list(''),
    listOfOwner: list('s.owner = @owner AND'),
    listInStatus: list('s.status = @status AND'),
    listOfOwnerInStatus: list('s.owner = @owner AND s.status = @status AND'),
    listUnchangedSince: db.prepare<SinceParameters, SessionRow>(`${SESSION_SQL}
      WHERE s.status = @status AND s.updated_at < @before ORDER BY s.updated_at LIMIT @limit`),
    listIdleSince: db.prepare<SinceParameters, SessionRow>(`${SESSION_SQL}
      WHERE s.status = @status AND s.last_activity_at < @before ORDER BY s.last_activity_at LIMIT @limit`),

    listOrphanSuspects: db.prepare<Omit<SinceParameters, 'status'>, OrphanSuspect>(`
      SELECT session_id AS sessionId, bucket, object_key AS key, created_at AS createdAt, orphan_suspected_at AS suspectedAt
      FROM upload_sessions WHERE orphan_suspected_at < @before ORDER BY orphan_suspected_at LIMIT @limit`),
    findRunning: db.prepare<NewSession>(`
      SELECT 1 FROM upload_sessions
      WHERE owner = @owner AND bucket = @bucket AND key_request = @keyRequest AND size = @size AND fingerprint = @fingerprint
        AND ${UNFINISHED}`),

    // Letter by letter, `/` is followed by `0`: all that lies below a key, and nothing else.
    findKeyConflict: db.prepare<{ bucket: string; key: string; parents: string; since: Instant }, { conflictingKey: string }>(`
      SELECT object_key AS conflictingKey FROM upload_sessions
      WHERE bucket = @bucket AND object_key IN (SELECT value FROM json_each(@parents)) AND ${MAKES_OBJECT}
      UNION ALL
      SELECT object_key FROM upload_sessions
      WHERE bucket = @bucket AND object_key > @key || '/' AND object_key < @key || '0' AND ${MAKES_OBJECT}
      LIMIT 1`),
    usageOf: db.prepare<[owner: string], Usage>(`
      SELECT open_sessions AS openSessions, reserved_bytes AS reservedBytes, settled_bytes AS settledBytes
      FROM owner_usage WHERE owner = ?`),
    countUnfinished: db.prepare<[], { status: keyof Totals['unfinished']; count: number }>(`
      SELECT status, COUNT(*) AS count FROM upload_sessions WHERE status IN (${NOT_ENDED}) GROUP BY status`),
    // As floating-point numbers: the sum of what is merely declared may leave 64 bits.
    sumUsage: db.prepare<[], Pick<Totals, 'reservedBytes' | 'settledBytes'>>(`
      SELECT TOTAL(reserved_bytes) AS reservedBytes, TOTAL(settled_bytes) AS settledBytes FROM owner_usage`),
    sumHeldBytes: db.prepare<[], Pick<Totals, 'heldBytes'>>(
      `SELECT TOTAL(stored_bytes) AS heldBytes FROM upload_sessions WHERE status IN (${NOT_ENDED})`,
    ),
    // In SQL, where sums are 64-bit.
    findExcess: db.prepare<Pick<NewSession, 'owner' | 'size'> & OwnerLimits, { overQuota: 0 | 1; overSessions: 0 | 1 }>(`
      SELECT COALESCE(@quotaBytes < @size + COALESCE(MAX(reserved_bytes + settled_bytes), 0), 0) AS overQuota,
        COALESCE(@maxOpenSessions < 1 + COALESCE(MAX(open_sessions), 0), 0) AS overSessions
      FROM owner_usage WHERE owner = @owner`),

    suspectOrphan: db.prepare<{ sessionId: string; at: Instant }>(`
      UPDATE upload_sessions SET orphan_suspected_at = MAX(COALESCE(orphan_suspected_at, @at), @at) WHERE session_id = @sessionId`),
    clearOrphanSuspicion: db.prepare<{ sessionId: string; before: Instant }>(`
      UPDATE upload_sessions SET orphan_suspected_at = NULL WHERE session_id = @sessionId AND orphan_suspected_at < @before`),
    setOverwrite: db.prepare<{ sessionId: string; overwrite: 0 | 1 }>(`
      UPDATE upload_sessions SET overwrite = @overwrite WHERE session_id = @sessionId`),
    changeStatus: db.prepare<
      Expected & { to: Status; at: Instant; endsAs: string | null; etag: string | null; checksum: string | null }
    >(`
      UPDATE upload_sessions SET status = @to, updated_at = @at, ends_as = COALESCE(@endsAs, ends_as),
        etag = COALESCE(@etag, etag), checksum = COALESCE(@checksum, checksum)
      WHERE ${AS_EXPECTED}`),
    openSession: db.prepare<Expected & { at: Instant }>(`
      UPDATE upload_sessions SET status = 'open', updated_at = @at WHERE ${AS_EXPECTED} AND status = 'creating'`),
    startGeneration: db.prepare<Expected & NewGeneration & { at: Instant }>(`
      UPDATE upload_sessions SET status = 'creating', updated_at = @at, generation = generation + 1,
        strategy = COALESCE(@strategy, strategy), part_size = COALESCE(@partSize, part_size),
        part_count = COALESCE(@partCount, part_count), content_type = COALESCE(@contentType, content_type),
        content_disposition = COALESCE(@contentDisposition, content_disposition),
        tags = COALESCE(@tags, tags), metadata = COALESCE(@metadata, metadata)
      WHERE ${AS_EXPECTED} AND status IN ('open', 'completing')`),
    touch: db.prepare<{ sessionId: string; at: Instant }>(`
      UPDATE upload_sessions SET last_activity_at = MAX(last_activity_at, @at) WHERE session_id = @sessionId`),
    recordFigures: db.prepare<ClientReport>(`
      UPDATE upload_sessions SET last_activity_at = MAX(last_activity_at, @at), reported_at = @at,
        in_flight_bytes = @inFlightBytes, bytes_per_second = @bytesPerSecond
      WHERE session_id = @sessionId`),
    ping: db.prepare<[]>('SELECT 1 FROM upload_sessions LIMIT 1'),
  };
}

function uploadStatements(db: SqliteDatabase) {
  return {
    insertUpload: db.prepare<Generation & { uploadId: string; initiatedAt: Instant }>(`
      INSERT INTO multipart_uploads (session_id, generation, upload_id, initiated_at)
      VALUES (@sessionId, @generation, @uploadId, @initiatedAt)`),
    endUpload: db.prepare<Generation & { at: Instant }>(`
      UPDATE multipart_uploads SET ended_at = @at
      WHERE session_id = @sessionId AND generation = @generation AND ended_at IS NULL`),
    leftoverUploads: db.prepare<{ before: Instant; limit: number }, LeftoverUpload>(`
      SELECT u.session_id AS sessionId, s.bucket, s.object_key AS key, u.generation, u.upload_id AS uploadId
      FROM multipart_uploads u JOIN upload_sessions s ON s.session_id = u.session_id
      WHERE u.ended_at IS NULL AND s.updated_at < @before AND (u.generation < s.generation OR s.status IN (${ENDED}))
      ORDER BY u.initiated_at LIMIT @limit`),
    findUpload: db.prepare<[uploadId: string]>('SELECT 1 FROM multipart_uploads WHERE upload_id = ? LIMIT 1'),
    recordListing: db.prepare<Generation & { at: Instant }>(`
      UPDATE multipart_uploads SET parts_listed_at = @at WHERE session_id = @sessionId AND generation = @generation`),
  };
}

function partStatements(db: SqliteDatabase) {
  const upsertPart = `
    INSERT INTO parts (session_id, generation, part_number, etag, checksum, size, recorded_at)
    VALUES (@sessionId, @generation, @partNumber, @etag, @checksum, @size, @at)
    ON CONFLICT DO UPDATE SET etag = excluded.etag, checksum = excluded.checksum, size = excluded.size,
      recorded_at = excluded.recorded_at`;
  return {
    listParts: db.prepare<[sessionId: string, generation: number], PartRow>(`
      SELECT part_number, etag, checksum, size FROM parts WHERE session_id = ? AND generation = ? ORDER BY part_number`),
    reportPart: db.prepare<PartParameters>(upsertPart),
    // A listing mostly repeats what is on record: rows that stay the same are not written again.
    listedPart: db.prepare<PartParameters>(`${upsertPart}
      WHERE recorded_at <= excluded.recorded_at
        AND (etag, checksum, size) IS NOT (excluded.etag, excluded.checksum, excluded.size)`),
    dropUnlistedParts: db.prepare<Generation & { at: Instant; partNumbers: string }>(`
      DELETE FROM parts WHERE session_id = @sessionId AND generation = @generation AND recorded_at <= @at
        AND part_number NOT IN (SELECT value FROM json_each(@partNumbers))`),

    readOwnership: db.prepare<{ sessionId: string; clientId: string }, Ownership>(OWNERSHIP_SQL),
    forgetClients: db.prepare<{ sessionId: string; ordinal: number }>(
      'DELETE FROM session_clients WHERE session_id = @sessionId AND ordinal <= @ordinal',
    ),
    insertClient: db.prepare<{ sessionId: string; clientId: string; ordinal: number; at: Instant }>(`
      INSERT INTO session_clients (session_id, client_id, ordinal, first_reported_at)
      VALUES (@sessionId, @clientId, @ordinal, @at)`),
  };
}

function leaseStatements(db: SqliteDatabase) {
  return {
    acquireSweepLease: db.prepare<{ holder: string; at: Instant; expiresAt: Instant; latest: Instant }>(`
      INSERT INTO sweep_lease (only_row, holder, expires_at) VALUES (1, @holder, @expiresAt)
      ON CONFLICT (only_row) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
        WHERE sweep_lease.holder = excluded.holder OR sweep_lease.expires_at <= @at
          OR sweep_lease.expires_at > @latest`),
    releaseSweepLease: db.prepare<[holder: string]>('DELETE FROM sweep_lease WHERE only_row = 1 AND holder = ?'),
  };
}
