import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus, WebhookEvent, WebhookEventType } from '../../session/webhook-event.ts';

/** A row of an event, in both databases. */
export interface EventRow {
  event_id: string;
  sequence: number;
  type: WebhookEventType;
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

export function toEvent(row: EventRow): WebhookEvent {
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
