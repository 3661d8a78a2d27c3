import type { Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { EndsAs, Instant, StoredPart, UploadSession } from '../../session/session.ts';
import type { Strategy } from '../../session/strategy.ts';
import type { ObjectAttributes } from '../port/sessions.ts';

/** A row of a session, in both databases. CHECK constraints keep status, strategy and ends_as within their types. */
export interface SessionRow {
  session_id: string;
  owner: string;
  bucket: string;
  object_key: string;
  key_request: string;
  file_name: string;
  size: number;
  content_type: string | null;
  content_disposition: string | null;
  tags: string;
  metadata: string;
  /** SQLite has no booleans. */
  overwrite: 0 | 1 | boolean;
  fingerprint: string | null;
  strategy: Strategy;
  part_size: number;
  part_count: number;
  status: Status;
  ends_as: EndsAs | null;
  generation: number;
  upload_id: string | null;
  initiated_at: Instant | null;
  etag: string | null;
  checksum: string | null;
  created_at: Instant;
  updated_at: Instant;
  last_activity_at: Instant;
  stored_bytes: number;
  parts_stored: number;
  in_flight_bytes: number;
  bytes_per_second: number;
  reported_at: Instant | null;
}

/** Columns of a session `s` and of the upload `u` of its generation. */
export const SESSION_COLUMNS = `s.session_id, s.owner, s.bucket, s.object_key, s.key_request, s.file_name, s.size, s.content_type,
    s.content_disposition, s.tags, s.metadata, s.overwrite, s.fingerprint, s.strategy, s.part_size, s.part_count, s.status, s.ends_as,
    s.generation, s.etag, s.checksum, s.created_at, s.updated_at, s.last_activity_at, s.in_flight_bytes, s.bytes_per_second,
    s.reported_at, s.stored_bytes, s.parts_stored, u.upload_id, u.initiated_at`;

/** Selects sessions `s`, each with the upload `u` of its generation. */
export const SESSION_SQL = `
  SELECT ${SESSION_COLUMNS}
  FROM upload_sessions s
  LEFT JOIN multipart_uploads u ON u.session_id = s.session_id AND u.generation = s.generation`;

export function toSession(row: SessionRow): UploadSession {
  return {
    sessionId: row.session_id,
    owner: row.owner,
    bucket: row.bucket,
    key: row.object_key,
    keyRequest: row.key_request,
    fileName: row.file_name,
    size: row.size,
    contentType: row.content_type,
    contentDisposition: row.content_disposition,
    tags: JSON.parse(row.tags) as Record<string, string>,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    overwrite: Boolean(row.overwrite),
    fingerprint: row.fingerprint,
    plan: { strategy: row.strategy, partSize: row.part_size, partCount: row.part_count },
    status: row.status,
    endsAs: row.ends_as,
    generation: row.generation,
    uploadId: row.upload_id,
    uploadInitiatedAt: row.initiated_at,
    etag: row.etag,
    checksum: row.checksum,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastActivityAt: row.last_activity_at,
    storedBytes: row.stored_bytes,
    partsStored: row.parts_stored,
    inFlightBytes: row.in_flight_bytes,
    bytesPerSecond: row.bytes_per_second,
    reportedAt: row.reported_at,
  };
}

/** Parameters of a new generation. Null keeps the session's value. */
export interface NewGeneration {
  readonly strategy: Strategy | null;
  readonly partSize: number | null;
  readonly partCount: number | null;
  readonly contentType: string | null;
  readonly contentDisposition: string | null;
  /** JSON, like the metadata. */
  readonly tags: string | null;
  readonly metadata: string | null;
}

export function toNewGeneration(plan: PartPlan | undefined, attributes: Partial<ObjectAttributes> = {}): NewGeneration {
  const { contentType = null, contentDisposition = null, tags, metadata } = attributes;
  return {
    ...(plan ?? { strategy: null, partSize: null, partCount: null }),
    contentType,
    contentDisposition,
    tags: tags === undefined ? null : JSON.stringify(tags),
    metadata: metadata === undefined ? null : JSON.stringify(metadata),
  };
}

export interface PartRow {
  part_number: number;
  etag: string;
  checksum: string | null;
  size: number;
}

export function toPart(row: PartRow): StoredPart {
  return { partNumber: row.part_number, etag: row.etag, checksum: row.checksum, size: row.size };
}
