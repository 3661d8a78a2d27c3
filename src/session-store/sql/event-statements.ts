import { ENDED } from './session-statements.ts';

// What both databases understand, of the outbox. Parameters are `@names` in both.

/** Of `e`, the event, and `s`, its session, which may have been completed since its beginning is told. */
export const EVENT_COLUMNS = `e.event_id, e.sequence, e.type, e.created_at, e.status, e.attempts, e.pending_since, e.next_attempt_at,
    e.last_error, e.settled_at, s.session_id, s.owner, s.bucket, s.object_key, s.file_name, s.size, s.content_type, s.metadata,
    CASE WHEN e.type = 'upload.completed' THEN s.etag END AS etag,
    CASE WHEN e.type = 'upload.completed' THEN s.checksum END AS checksum`;

/** Of `e`: there is nothing that it has to wait for. */
export const NO_EARLIER_PENDING = `NOT EXISTS (SELECT 1 FROM events earlier
    WHERE earlier.session_id = e.session_id AND earlier.sequence < e.sequence AND earlier.status = 'pending')`;

/** Where a list begins: later than all events. */
export const EVENTS_START = { createdAt: Number.MAX_SAFE_INTEGER, eventId: '' } as const;

export const EVENT_SQL = `SELECT ${EVENT_COLUMNS} FROM events e JOIN upload_sessions s ON s.session_id = e.session_id`;
export const NEWEST_FIRST =
  '(e.created_at, e.event_id) < (@createdAt, @eventId) ORDER BY e.created_at DESC, e.event_id DESC LIMIT @limit';
/** What has to wait for an event. */
export const LATER = "session_id = @sessionId AND sequence > @sequence AND status = 'pending'";

export const MARK_DELIVERED = `UPDATE events SET status = 'delivered', settled_at = @at, last_error = NULL
  WHERE event_id = @eventId AND status = 'pending'`;
/** Neither settled nor claimed again since. */
const OF_THIS_CLAIM = "event_id = @eventId AND status = 'pending' AND attempts = @attempts";
export const POSTPONE = `UPDATE events SET next_attempt_at = @at, last_error = @error WHERE ${OF_THIS_CLAIM}`;
export const GIVE_UP = `UPDATE events SET status = 'dead', settled_at = @at, last_error = @error WHERE ${OF_THIS_CLAIM}`;

const REPLAY =
  "UPDATE events SET status = 'pending', attempts = 0, pending_since = @at, next_attempt_at = @at, settled_at = NULL";
export const REPLAY_ONE = `${REPLAY} WHERE event_id = @eventId`;
export const REPLAY_DEAD = `${REPLAY} WHERE status = 'dead'`;

export const FORGET = `DELETE FROM events WHERE event_id IN (
  SELECT e.event_id FROM events e JOIN upload_sessions s ON s.session_id = e.session_id
  WHERE e.status = @status AND e.created_at < @before AND s.status IN (${ENDED}) LIMIT @limit)`;

/** @param dueEvents The table, by its index of what is pending: counting there takes a tenth of the time. */
export const backlogSql = (dueEvents: string): string => `SELECT
  (SELECT COUNT(*) FROM ${dueEvents} WHERE status = 'pending') AS pending,
  (SELECT COUNT(*) FROM events WHERE status = 'dead') AS dead,
  (SELECT MIN(created_at) FROM events WHERE status = 'pending') AS "oldestPendingAt"`;
