import { isTerminal, STATUSES, type Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { Instant } from '../../session/session.ts';
import type { Expected, FingerprintQuery, IdempotencyRecord, NewSession, OwnerLimits } from '../port/sessions.ts';
import type { OrphanSuspect } from '../port/sweep.ts';
import type { Totals, Usage } from '../port/usage.ts';
import type { Dialect, ListParameter } from './dialect.ts';
import type { ListParameters } from './list-cursor.ts';
import { type NewGeneration, SESSION_SQL, type SessionRow } from './session-rows.ts';
import { type Sql, sql, sqlPlannedByValues } from './statement.ts';

export const AS_EXPECTED = 'session_id = @sessionId AND generation = @generation AND status = @status';
export const UNFINISHED = "status IN ('creating', 'open', 'completing')";
/** Includes sessions that made their object after the object store was asked. */
const MAKES_OBJECT = `(${UNFINISHED} OR (status = 'completed' AND updated_at >= @since))`;

/** Statuses of sessions that have ended. */
export const ENDED = quoted(STATUSES.filter(isTerminal));
const NOT_ENDED = quoted(STATUSES.filter((status) => !isTerminal(status)));

function quoted(statuses: readonly Status[]): string {
  return statuses.map((status) => `'${status}'`).join(', ');
}

type NewSessionRow = Omit<NewSession, 'metadata' | 'tags' | 'overwrite' | 'plan'> &
  PartPlan &
  Readonly<Record<'metadata' | 'tags', string>> & { readonly overwrite: boolean | 0 | 1 };
type SinceParameters = { readonly status: Status; readonly before: Instant; readonly limit: number };
type OwnedKey = { readonly owner: string; readonly key: string };

/** The row of a new session. */
export function toNewSessionRow({ plan, metadata, tags, overwrite, ...same }: NewSession, { toFlag }: Dialect): NewSessionRow {
  return { ...same, ...plan, metadata: JSON.stringify(metadata), tags: JSON.stringify(tags), overwrite: toFlag(overwrite) };
}

export function sessionStatements({ greatest, total, inList, startsWith }: Dialect) {
  /** Walks past sessions in other buckets or under other prefixes: there cannot be an index for every prefix. */
  const inPlace = `(CAST(@bucket AS TEXT) IS NULL OR s.bucket = @bucket) AND ${startsWith('s.object_key', '@keyPrefix')}`;
  /** Many sessions are completed and few are open: a list of one status or the other is best read by another index. */
  const list = (filter: string): Sql<ListParameters, SessionRow> =>
    sqlPlannedByValues(`${SESSION_SQL}
      WHERE ${filter} (s.created_at, s.session_id) < (@createdAt, @sessionId) AND ${inPlace}
      ORDER BY s.created_at DESC, s.session_id DESC LIMIT @rows`);

  return {
    insertSession: sql<NewSessionRow>(`
      INSERT INTO upload_sessions (session_id, owner, bucket, object_key, key_request, file_name, size, content_type,
        content_disposition, tags, metadata, overwrite, fingerprint, strategy, part_size, part_count, status, generation,
        created_at, updated_at, last_activity_at)
      VALUES (@sessionId, @owner, @bucket, @key, @keyRequest, @fileName, @size, @contentType,
        @contentDisposition, @tags, @metadata, @overwrite, @fingerprint, @strategy, @partSize, @partCount, 'creating', 1,
        @createdAt, @createdAt, @createdAt)`),
    reserveIdempotencyKey: sql<IdempotencyRecord & Pick<NewSession, 'owner' | 'sessionId' | 'createdAt'>>(`
      INSERT INTO idempotency_keys (owner, idempotency_key, request_hash, session_id, created_at)
      VALUES (@owner, @key, @requestHash, @sessionId, @createdAt) ON CONFLICT (owner, idempotency_key) DO NOTHING`),
    releaseIdempotencyKey: sql<OwnedKey>('DELETE FROM idempotency_keys WHERE owner = @owner AND idempotency_key = @key'),
    deleteIdempotencyKeys: sql<{ before: Instant }>('DELETE FROM idempotency_keys WHERE created_at < @before'),
    findByIdempotencyKey: sql<OwnedKey, { sessionId: string; requestHash: string }>(`
      SELECT session_id AS "sessionId", request_hash AS "requestHash" FROM idempotency_keys
      WHERE owner = @owner AND idempotency_key = @key`),

    getSession: sql<{ sessionId: string }, SessionRow>(`${SESSION_SQL} WHERE s.session_id = @sessionId`),
    findByFingerprint: sql<FingerprintQuery & { statuses: ListParameter }, SessionRow>(`${SESSION_SQL}
      WHERE s.fingerprint = @fingerprint AND s.owner = @owner AND s.bucket = @bucket AND s.key_request = @keyRequest
        AND s.size = @size AND ${inList('s.status', '@statuses')}
      ORDER BY s.created_at DESC, s.session_id DESC LIMIT 1`),
    // One statement for each combination of filters: with `@owner IS NULL OR …`, none would use an index.
    listAll: list(''),
    listOfOwner: list('s.owner = @owner AND'),
    listInStatus: list('s.status = @status AND'),
    listOfOwnerInStatus: list('s.owner = @owner AND s.status = @status AND'),
    listUnchangedSince: sql<SinceParameters, SessionRow>(`${SESSION_SQL}
      WHERE s.status = @status AND s.updated_at < @before ORDER BY s.updated_at LIMIT @limit`),
    listIdleSince: sql<SinceParameters, SessionRow>(`${SESSION_SQL}
      WHERE s.status = @status AND s.last_activity_at < @before ORDER BY s.last_activity_at LIMIT @limit`),

    // In the order of bytes, `/` is followed by `0`: this range is exactly the keys below a key.
    findKeyConflict: sql<{ bucket: string; key: string; parents: ListParameter; since: Instant }, { conflictingKey: string }>(`
      SELECT object_key AS "conflictingKey" FROM upload_sessions
      WHERE bucket = @bucket AND ${inList('object_key', '@parents')} AND ${MAKES_OBJECT}
      UNION ALL
      SELECT object_key FROM upload_sessions
      WHERE bucket = @bucket AND object_key > CAST(@key AS TEXT) || '/' AND object_key < CAST(@key AS TEXT) || '0' AND ${MAKES_OBJECT}
      LIMIT 1`),
    // In SQL, because sums are 64-bit there. The MAX gives one row for a new owner, too.
    findExcess: sql<
      Pick<NewSession, 'owner' | 'size'> & OwnerLimits,
      { overQuota: boolean | 0 | 1; overSessions: boolean | 0 | 1 }
    >(`
      SELECT COALESCE(CAST(@quotaBytes AS BIGINT) <
          CAST(@size AS BIGINT) + COALESCE(MAX(reserved_bytes + settled_bytes), 0), false) AS "overQuota",
        COALESCE(CAST(@maxOpenSessions AS BIGINT) < 1 + COALESCE(MAX(open_sessions), 0), false) AS "overSessions"
      FROM owner_usage WHERE owner = @owner`),
    usageOf: sql<{ owner: string }, Usage>(`
      SELECT open_sessions AS "openSessions", reserved_bytes AS "reservedBytes", settled_bytes AS "settledBytes"
      FROM owner_usage WHERE owner = @owner`),
    countUnfinished: sql<object, { status: keyof Totals['unfinished']; count: number }>(`
      SELECT status, COUNT(*) AS count FROM upload_sessions WHERE status IN (${NOT_ENDED}) GROUP BY status`),
    sumUsage: sql<object, Pick<Totals, 'reservedBytes' | 'settledBytes'>>(`
      SELECT ${total('reserved_bytes')} AS "reservedBytes", ${total('settled_bytes')} AS "settledBytes" FROM owner_usage`),
    sumHeldBytes: sql<object, Pick<Totals, 'heldBytes'>>(`
      SELECT ${total('stored_bytes')} AS "heldBytes" FROM upload_sessions WHERE status IN (${NOT_ENDED})`),

    changeStatus: sql<Expected & { to: Status; at: Instant } & Record<'endsAs' | 'etag' | 'checksum', string | null>>(`
      UPDATE upload_sessions SET status = @to, updated_at = @at, ends_as = COALESCE(@endsAs, ends_as),
        etag = COALESCE(@etag, etag), checksum = COALESCE(@checksum, checksum)
      WHERE ${AS_EXPECTED}`),
    openSession: sql<Expected & { at: Instant }>(`
      UPDATE upload_sessions SET status = 'open', updated_at = @at WHERE ${AS_EXPECTED} AND status = 'creating'`),
    startGeneration: sql<Expected & NewGeneration & { at: Instant }>(`
      UPDATE upload_sessions SET status = 'creating', updated_at = @at, generation = generation + 1,
        strategy = COALESCE(@strategy, strategy), part_size = COALESCE(@partSize, part_size),
        part_count = COALESCE(@partCount, part_count), content_type = COALESCE(@contentType, content_type),
        content_disposition = COALESCE(@contentDisposition, content_disposition),
        tags = COALESCE(@tags, tags), metadata = COALESCE(@metadata, metadata)
      WHERE ${AS_EXPECTED} AND status IN ('open', 'completing')`),
    touch: sql<{ sessionId: string; at: Instant }>(`
      UPDATE upload_sessions SET last_activity_at = ${greatest('last_activity_at', '@at')} WHERE session_id = @sessionId`),
    setOverwrite: sql<{ sessionId: string; overwrite: boolean | 0 | 1 }>(
      'UPDATE upload_sessions SET overwrite = @overwrite WHERE session_id = @sessionId',
    ),

    listOrphanSuspects: sql<Omit<SinceParameters, 'status'>, OrphanSuspect>(`
      SELECT session_id AS "sessionId", bucket, object_key AS key, created_at AS "createdAt", orphan_suspected_at AS "suspectedAt"
      FROM upload_sessions WHERE orphan_suspected_at < @before ORDER BY orphan_suspected_at LIMIT @limit`),
    suspectOrphan: sql<{ sessionId: string; at: Instant }>(`
      UPDATE upload_sessions SET orphan_suspected_at = ${greatest('COALESCE(orphan_suspected_at, @at)', '@at')}
      WHERE session_id = @sessionId`),
    clearOrphanSuspicion: sql<{ sessionId: string; before: Instant }>(`
      UPDATE upload_sessions SET orphan_suspected_at = NULL WHERE session_id = @sessionId AND orphan_suspected_at < @before`),
  };
}
