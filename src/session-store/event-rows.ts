import type { Instant } from '../session/session.ts';
import type { DeliveryStatus, UploadEvent, UploadEventType } from '../session/upload-event.ts';

/** An event as both databases answer it. */
export interface EventRow {
  event_id: string;
  sequence: number;
  type: UploadEventType;
  created_at: Instant;
  status: DeliveryStatus;
  attempts: number;
  pending_since: Instant;
  next_attempt_at: Instant;
  last_error: string | null;
  settled_at: Instant | null;
  session_id: string;
  owner: string;
  bucket: string;
  object_key: string;
  file_name: string;
  size: number;
  content_type: string | null;
  metadata: string;
  etag: string | null;
  checksum: string | null;
}

/** Of `e`, the event, and `s`, its session, which may have been completed since its beginning is told. */
export const EVENT_COLUMNS = `e.event_id, e.sequence, e.type, e.created_at, e.status, e.attempts, e.pending_since, e.next_attempt_at,
    e.last_error, e.settled_at, s.session_id, s.owner, s.bucket, s.object_key, s.file_name, s.size, s.content_type, s.metadata,
    CASE WHEN e.type = 'upload.completed' THEN s.etag END AS etag,
    CASE WHEN e.type = 'upload.completed' THEN s.checksum END AS checksum`;

export const NO_EARLIER_PENDING = `NOT EXISTS (SELECT 1 FROM events earlier
    WHERE earlier.session_id = e.session_id AND earlier.sequence < e.sequence AND earlier.status = 'pending')`;

/** Where a list begins: later than all events. */
export const EVENTS_START = { createdAt: Number.MAX_SAFE_INTEGER, eventId: '' } as const;

export function toEvent(row: EventRow): UploadEvent {
  return {
    eventId: row.event_id,
    sequence: row.sequence,
    type: row.type,
    createdAt: row.created_at,
    session: {
      sessionId: row.session_id,
      owner: row.owner,
      bucket: row.bucket,
      key: row.object_key,
      fileName: row.file_name,
      size: row.size,
      contentType: row.content_type,
      metadata: JSON.parse(row.metadata) as Record<string, string>,
      etag: row.etag,
      checksum: row.checksum,
    },
    status: row.status,
    attempts: row.attempts,
    pendingSince: row.pending_since,
    nextAttemptAt: row.next_attempt_at,
    lastError: row.last_error,
    settledAt: row.settled_at,
  };
}
