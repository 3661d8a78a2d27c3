import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus } from '../../session/webhook-event.ts';
import type { Backlog, LeasedEvent } from '../port/outbox.ts';
import type { Dialect } from './dialect.ts';
import type { EventRow } from './event-rows.ts';
import { ENDED } from './session-statements.ts';
import { sql, sqlPlannedByValues } from './statement.ts';

/** Columns of an event `e` and its session `s`. The session may have completed since, so only its last event has ETag and checksum. */
export const EVENT_COLUMNS = `e.event_id, e.sequence, e.type, e.created_at, e.status, e.attempts, e.pending_since, e.next_attempt_at,
    e.last_error, e.settled_at, s.session_id, s.owner, s.bucket, s.object_key, s.file_name, s.size, s.content_type, s.metadata,
    CASE WHEN e.type = 'upload.completed' THEN s.etag END AS etag,
    CASE WHEN e.type = 'upload.completed' THEN s.checksum END AS checksum`;
const EVENT_SQL = `SELECT ${EVENT_COLUMNS} FROM events e JOIN upload_sessions s ON s.session_id = e.session_id`;

/** The event `e` does not have to wait for an earlier one. */
export const NO_EARLIER_PENDING = `NOT EXISTS (SELECT 1 FROM events earlier
    WHERE earlier.session_id = e.session_id AND earlier.sequence < e.sequence AND earlier.status = 'pending')`;
/** Events that have to wait for an event. */
const LATER = "session_id = @sessionId AND sequence > @sequence AND status = 'pending'";
/** The event was neither settled nor leased again meanwhile. */
const STILL_LEASED = "event_id = @eventId AND status = 'pending' AND attempts = @attempts";
const NEWEST_FIRST =
  '(e.created_at, e.event_id) < (@createdAt, @eventId) ORDER BY e.created_at DESC, e.event_id DESC LIMIT @limit';
const REPLAY =
  "UPDATE events SET status = 'pending', attempts = 0, pending_since = @at, next_attempt_at = @at, settled_at = NULL";

/** Start of a list: a position later than all events. */
export const EVENTS_START = { createdAt: Number.MAX_SAFE_INTEGER, eventId: '' } as const;

type Page = { readonly createdAt: Instant; readonly eventId: string; readonly limit: number };
type FailedAttempt = Pick<LeasedEvent, 'eventId' | 'attempts'> & { readonly at: Instant; readonly error: string };
type Later = { readonly sessionId: string; readonly sequence: number; readonly at: Instant };

export function eventStatements({ greatest, least, dueEvents }: Dialect) {
  return {
    markEventDelivered: sql<{ eventId: string; at: Instant }>(`
      UPDATE events SET status = 'delivered', settled_at = @at, last_error = NULL
      WHERE event_id = @eventId AND status = 'pending'`),
    postponeEvent: sql<FailedAttempt>(`UPDATE events SET next_attempt_at = @at, last_error = @error WHERE ${STILL_LEASED}`),
    markEventDead: sql<FailedAttempt>(`
      UPDATE events SET status = 'dead', settled_at = @at, last_error = @error WHERE ${STILL_LEASED}`),
    // An event that waits for another is not due before it: otherwise thousands would be read again and again.
    postponeLater: sql<Later>(`UPDATE events SET next_attempt_at = ${greatest('next_attempt_at', '@at')} WHERE ${LATER}`),
    advanceLater: sql<Later>(`UPDATE events SET next_attempt_at = ${least('next_attempt_at', '@at')} WHERE ${LATER}`),

    // Counting in the index of pending events takes a tenth of the time.
    countBacklog: sql<object, Backlog>(`SELECT
      (SELECT COUNT(*) FROM ${dueEvents} WHERE status = 'pending') AS pending,
      (SELECT COUNT(*) FROM events WHERE status = 'dead') AS dead,
      (SELECT MIN(created_at) FROM events WHERE status = 'pending') AS "oldestPendingAt"`),
    listEvents: sql<Page, EventRow>(`${EVENT_SQL} WHERE ${NEWEST_FIRST}`),
    // Many events are delivered, and few have another status.
    listEventsInStatus: sqlPlannedByValues<Page & { status: DeliveryStatus }, EventRow>(
      `${EVENT_SQL} WHERE e.status = @status AND ${NEWEST_FIRST}`,
    ),
    eventsOfSession: sql<{ sessionId: string }, EventRow>(`${EVENT_SQL} WHERE e.session_id = @sessionId ORDER BY e.sequence`),
    findEvent: sql<{ eventId: string }, EventRow>(`${EVENT_SQL} WHERE e.event_id = @eventId`),
    replayEvent: sql<{ eventId: string; at: Instant }>(`${REPLAY} WHERE event_id = @eventId`),
    replayDeadEvents: sql<{ at: Instant }>(`${REPLAY} WHERE status = 'dead'`),
    deleteOldEvents: sqlPlannedByValues<{ status: DeliveryStatus; before: Instant; limit: number }>(`
      DELETE FROM events WHERE event_id IN (
        SELECT e.event_id FROM events e JOIN upload_sessions s ON s.session_id = e.session_id
        WHERE e.status = @status AND e.created_at < @before AND s.status IN (${ENDED}) LIMIT @limit)`),
  };
}
