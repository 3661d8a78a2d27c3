-- What webhooks tell: one row for each event, written by triggers in the transaction of the change itself, so that no code path can
-- forget it and no crash come in between. Sessions from before have no `upload.created`; their numbers begin with their ending.
CREATE TABLE events (
  event_id        TEXT    NOT NULL PRIMARY KEY,
  -- What an event says of its session is read from there: none of it changes once the event has happened, and sessions are never deleted.
  session_id      TEXT    NOT NULL REFERENCES upload_sessions (session_id),
  -- From 1, without gaps.
  sequence        INTEGER NOT NULL CHECK (sequence >= 1),
  type            TEXT    NOT NULL CHECK (type IN ('upload.created', 'upload.completed', 'upload.aborted', 'upload.expired')),
  created_at      INTEGER NOT NULL,

  status          TEXT    NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
  -- Since it was last made pending, like `pending_since`: by its change, or by hand.
  attempts        INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  pending_since   INTEGER NOT NULL,
  -- Of one that is pending. While it is being sent, when it is taken for forgotten.
  next_attempt_at INTEGER NOT NULL,
  last_error      TEXT,
  settled_at      INTEGER,
  UNIQUE (session_id, sequence),
  CHECK ((status = 'pending') = (settled_at IS NULL))
) STRICT;

CREATE INDEX events_due ON events (next_attempt_at) WHERE status = 'pending';
CREATE INDEX events_newest ON events (created_at, event_id);
CREATE INDEX events_newest_in_status ON events (status, created_at, event_id);

CREATE TRIGGER upload_sessions_tell_created AFTER INSERT ON upload_sessions
BEGIN
  INSERT INTO events (event_id, session_id, sequence, type, created_at, pending_since, next_attempt_at)
  VALUES ('evt_' || lower(hex(randomblob(16))), new.session_id, 1, 'upload.created', new.created_at, new.created_at, new.created_at);
END;

-- Not due before the events that it has to wait for. Events of unfinished sessions are never forgotten, so numbers do not begin again.
CREATE TRIGGER upload_sessions_tell_ended AFTER UPDATE OF status ON upload_sessions
  WHEN new.status IN ('completed', 'aborted', 'expired') AND old.status NOT IN ('completed', 'aborted', 'expired')
BEGIN
  INSERT INTO events (event_id, session_id, sequence, type, created_at, pending_since, next_attempt_at)
  SELECT 'evt_' || lower(hex(randomblob(16))), new.session_id, COALESCE(MAX(sequence), 0) + 1, 'upload.' || new.status,
    new.updated_at, new.updated_at, MAX(new.updated_at, COALESCE(MAX(next_attempt_at) FILTER (WHERE status = 'pending'), 0))
  FROM events WHERE session_id = new.session_id;
END;
