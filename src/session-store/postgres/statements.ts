import type { Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { Instant } from '../../session/session.ts';
import type {
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
import { type NewGeneration, SESSION_SQL, type SessionRow } from '../sql/session-rows.ts';
import { AS_EXPECTED, ENDED, MAKES_OBJECT, NOT_ENDED, UNFINISHED } from '../sql/session-statements.ts';
import { OUTBOX_STATEMENTS } from './outbox.ts';
import { type Generation, PART_STATEMENTS } from './parts.ts';
import { type Statement, statement, unpreparedStatement } from './statement.ts';
import { TOKEN_STATEMENTS } from './tokens.ts';

type SinceParameters = { readonly status: Status; readonly before: Instant; readonly limit: number };

/** Walks on past what lies elsewhere: an index for every prefix there cannot be. */
const IN_PLACE = '(@bucket::text IS NULL OR s.bucket = @bucket) AND starts_with(s.object_key, @keyPrefix)';

/** Many sessions are completed and few are open: a list of one status or the other is best read by another index. */
const list = (filter: string): Statement<ListParameters, SessionRow> =>
  unpreparedStatement<ListParameters, SessionRow>(`${SESSION_SQL}
    WHERE ${filter} (s.created_at, s.session_id) < (@createdAt, @sessionId) AND ${IN_PLACE}
    ORDER BY s.created_at DESC, s.session_id DESC LIMIT @rows`);

const INSERT_STATEMENTS = {
  /** Held until the transaction ends: of all sessions that an owner begins, one at a time is judged and counted. */
  lockOwner: statement<{ owner: string }>(`
    INSERT INTO owner_usage (owner, open_sessions, reserved_bytes, settled_bytes) VALUES (@owner, 0, 0, 0)
    ON CONFLICT (owner) DO UPDATE SET open_sessions = owner_usage.open_sessions`),
  findTaken: statement<
    Pick<NewSession, 'owner' | 'bucket' | 'keyRequest' | 'size' | 'fingerprint'> & { idempotencyKey: string | null }
  >(`
    SELECT 1 FROM idempotency_keys WHERE owner = @owner AND idempotency_key = @idempotencyKey
    UNION ALL
    SELECT 1 FROM upload_sessions
    WHERE owner = @owner AND bucket = @bucket AND hashtextextended(key_request, 0) = hashtextextended(@keyRequest, 0)
      AND key_request = @keyRequest AND size = @size AND fingerprint = @fingerprint AND ${UNFINISHED}
    LIMIT 1`),
  // Letter by letter, `/` is followed by `0`: all that lies below a key, and nothing else.
  findKeyConflict: statement<
    { bucket: string; key: string; parents: readonly string[]; since: Instant },
    { conflictingKey: string }
  >(`
    SELECT object_key AS "conflictingKey" FROM upload_sessions
    WHERE bucket = @bucket AND object_key = ANY(@parents::text[]) AND ${MAKES_OBJECT}
    UNION ALL
    SELECT object_key FROM upload_sessions
    WHERE bucket = @bucket AND object_key > @key::text || '/' AND object_key < @key::text || '0' AND ${MAKES_OBJECT}
    LIMIT 1`),
  // In SQL, where sums are 64-bit.
  findExcess: statement<Pick<NewSession, 'owner' | 'size'> & OwnerLimits, { overQuota: boolean; overSessions: boolean }>(`
    SELECT COALESCE(@quotaBytes::bigint < @size::bigint + reserved_bytes + settled_bytes, false) AS "overQuota",
      COALESCE(@maxOpenSessions::bigint < 1 + open_sessions, false) AS "overSessions"
    FROM owner_usage WHERE owner = @owner`),
  insertSession: statement<Omit<NewSession, 'metadata' | 'tags' | 'plan'> & PartPlan & { metadata: string; tags: string }>(`
    INSERT INTO upload_sessions (session_id, owner, bucket, object_key, key_request, file_name, size, content_type,
      content_disposition, tags, metadata, overwrite, fingerprint, strategy, part_size, part_count, status, generation,
      created_at, updated_at, last_activity_at)
    VALUES (@sessionId, @owner, @bucket, @key, @keyRequest, @fileName, @size, @contentType,
      @contentDisposition, @tags, @metadata, @overwrite, @fingerprint, @strategy, @partSize, @partCount, 'creating', 1,
      @createdAt, @createdAt, @createdAt)`),
};

const SESSION_STATEMENTS = {
  claimIdempotencyKey: statement<IdempotencyRecord & Pick<NewSession, 'owner' | 'sessionId' | 'createdAt'>>(`
    INSERT INTO idempotency_keys (owner, idempotency_key, request_hash, session_id, created_at)
    VALUES (@owner, @key, @requestHash, @sessionId, @createdAt) ON CONFLICT (owner, idempotency_key) DO NOTHING`),
  releaseIdempotencyKey: statement<{ owner: string; key: string }>(
    'DELETE FROM idempotency_keys WHERE owner = @owner AND idempotency_key = @key',
  ),
  deleteIdempotencyKeys: statement<{ before: Instant }>('DELETE FROM idempotency_keys WHERE created_at < @before'),
  findByIdempotencyKey: statement<{ owner: string; key: string }, { sessionId: string; requestHash: string }>(`
    SELECT session_id AS "sessionId", request_hash AS "requestHash" FROM idempotency_keys
    WHERE owner = @owner AND idempotency_key = @key`),
  getSession: statement<{ sessionId: string }, SessionRow>(`${SESSION_SQL} WHERE s.session_id = @sessionId`),
  findByFingerprint: statement<FingerprintQuery & { statuses: readonly Status[] }, SessionRow>(`${SESSION_SQL}
    WHERE s.fingerprint = @fingerprint AND s.owner = @owner AND s.bucket = @bucket AND s.key_request = @keyRequest
      AND s.size = @size AND s.status = ANY(@statuses::text[])
    ORDER BY s.created_at DESC, s.session_id DESC LIMIT 1`),

  // One statement for each combination of filters: one plan for all of them would use the index of none.
  listAll: list(''),
  listOfOwner: list('s.owner = @owner AND'),
  listInStatus: list('s.status = @status AND'),
  listOfOwnerInStatus: list('s.owner = @owner AND s.status = @status AND'),
  listUnchangedSince: statement<SinceParameters, SessionRow>(`${SESSION_SQL}
    WHERE s.status = @status AND s.updated_at < @before ORDER BY s.updated_at LIMIT @limit`),
  listIdleSince: statement<SinceParameters, SessionRow>(`${SESSION_SQL}
    WHERE s.status = @status AND s.last_activity_at < @before ORDER BY s.last_activity_at LIMIT @limit`),
  listOrphanSuspects: statement<Omit<SinceParameters, 'status'>, OrphanSuspect>(`
    SELECT session_id AS "sessionId", bucket, object_key AS key, created_at AS "createdAt", orphan_suspected_at AS "suspectedAt"
    FROM upload_sessions WHERE orphan_suspected_at < @before ORDER BY orphan_suspected_at LIMIT @limit`),
  usageOf: statement<{ owner: string }, Usage>(`
    SELECT open_sessions AS "openSessions", reserved_bytes AS "reservedBytes", settled_bytes AS "settledBytes"
    FROM owner_usage WHERE owner = @owner`),
  countUnfinished: statement<object, { status: keyof Totals['unfinished']; count: number }>(`
    SELECT status, COUNT(*) AS count FROM upload_sessions WHERE status IN (${NOT_ENDED}) GROUP BY status`),
  // As floating-point numbers: the sum of what is merely declared may leave 64 bits.
  sumUsage: statement<object, Pick<Totals, 'reservedBytes' | 'settledBytes'>>(`
    SELECT COALESCE(SUM(reserved_bytes::float8), 0) AS "reservedBytes", COALESCE(SUM(settled_bytes::float8), 0) AS "settledBytes"
    FROM owner_usage`),
  sumHeldBytes: statement<object, Pick<Totals, 'heldBytes'>>(`
    SELECT COALESCE(SUM(stored_bytes::float8), 0) AS "heldBytes" FROM upload_sessions WHERE status IN (${NOT_ENDED})`),

  suspectOrphan: statement<{ sessionId: string; at: Instant }>(`
    UPDATE upload_sessions SET orphan_suspected_at = GREATEST(orphan_suspected_at, @at) WHERE session_id = @sessionId`),
  clearOrphanSuspicion: statement<{ sessionId: string; before: Instant }>(`
    UPDATE upload_sessions SET orphan_suspected_at = NULL WHERE session_id = @sessionId AND orphan_suspected_at < @before`),
  setOverwrite: statement<{ sessionId: string; overwrite: boolean }>(
    'UPDATE upload_sessions SET overwrite = @overwrite WHERE session_id = @sessionId',
  ),
  changeStatus: statement<
    Expected & { to: Status; at: Instant; endsAs: string | null; etag: string | null; checksum: string | null }
  >(`
    UPDATE upload_sessions SET status = @to, updated_at = @at, ends_as = COALESCE(@endsAs, ends_as),
      etag = COALESCE(@etag, etag), checksum = COALESCE(@checksum, checksum)
    WHERE ${AS_EXPECTED}`),
  openSession: statement<Expected & { at: Instant }>(`
    UPDATE upload_sessions SET status = 'open', updated_at = @at WHERE ${AS_EXPECTED} AND status = 'creating'`),
  startGeneration: statement<Expected & NewGeneration & { at: Instant }>(`
    UPDATE upload_sessions SET status = 'creating', updated_at = @at, generation = generation + 1,
      strategy = COALESCE(@strategy, strategy), part_size = COALESCE(@partSize, part_size),
      part_count = COALESCE(@partCount, part_count), content_type = COALESCE(@contentType, content_type),
      content_disposition = COALESCE(@contentDisposition, content_disposition),
      tags = COALESCE(@tags, tags), metadata = COALESCE(@metadata, metadata)
    WHERE ${AS_EXPECTED} AND status IN ('open', 'completing')`),
  // On a standby it is on, whatever was set.
  ping: statement<object, { read_only: 'on' | 'off' }>(`
    SELECT current_setting('transaction_read_only') AS read_only, (SELECT 1 FROM upload_sessions LIMIT 1) AS found`),
};

const UPLOAD_STATEMENTS = {
  insertUpload: statement<Generation & { uploadId: string; initiatedAt: Instant }>(`
    INSERT INTO multipart_uploads (session_id, generation, upload_id, initiated_at)
    VALUES (@sessionId, @generation, @uploadId, @initiatedAt)`),
  endUpload: statement<Generation & { at: Instant }>(`
    UPDATE multipart_uploads SET ended_at = @at
    WHERE session_id = @sessionId AND generation = @generation AND ended_at IS NULL`),
  leftoverUploads: statement<{ before: Instant; limit: number }, LeftoverUpload>(`
    SELECT u.session_id AS "sessionId", s.bucket, s.object_key AS key, u.generation, u.upload_id AS "uploadId"
    FROM multipart_uploads u JOIN upload_sessions s ON s.session_id = u.session_id
    WHERE u.ended_at IS NULL AND s.updated_at < @before AND (u.generation < s.generation OR s.status IN (${ENDED}))
    ORDER BY u.initiated_at LIMIT @limit`),
  findUpload: statement<{ uploadId: string }>('SELECT 1 FROM multipart_uploads WHERE upload_id = @uploadId LIMIT 1'),
};

const LEASE_STATEMENTS = {
  acquireSweepLease: statement<{ holder: string; at: Instant; expiresAt: Instant; latest: Instant }>(`
    INSERT INTO sweep_lease (only_row, holder, expires_at) VALUES (1, @holder, @expiresAt)
    ON CONFLICT (only_row) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
      WHERE sweep_lease.holder = excluded.holder OR sweep_lease.expires_at <= @at
        OR sweep_lease.expires_at > @latest`),
  releaseSweepLease: statement<{ holder: string }>('DELETE FROM sweep_lease WHERE only_row = 1 AND holder = @holder'),
};

/** Every statement of the store. A test explains those that read, and accepts no scan of a table that grows. */
export const STATEMENTS = {
  ...INSERT_STATEMENTS,
  ...SESSION_STATEMENTS,
  ...UPLOAD_STATEMENTS,
  ...PART_STATEMENTS,
  ...TOKEN_STATEMENTS,
  ...LEASE_STATEMENTS,
  ...OUTBOX_STATEMENTS,
};
