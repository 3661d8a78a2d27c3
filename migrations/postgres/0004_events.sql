-- What webhooks tell: one row for each event, written by triggers in the transaction of the change itself, so that no code path can
-- forget it and no crash come in between. Sessions from before have no `upload.created`; their numbers begin with their ending.
CREATE TABLE events (
  event_id        text COLLATE "C" NOT NULL PRIMARY KEY,
  -- What an event says of its session is read from there: none of it changes once the event has happened, and sessions are never deleted.
  session_id      text COLLATE "C" NOT NULL REFERENCES upload_sessions (session_id),
  -- From 1, without gaps.
  sequence        integer NOT NULL CHECK (sequence >= 1),
  type            text    NOT NULL CHECK (type IN ('upload.created', 'upload.completed', 'upload.aborted', 'upload.expired')),
  created_at      bigint  NOT NULL,

  status          text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
  -- Since it was last made pending, like `pending_since`: by its change, or by hand.
  attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  pending_since   bigint  NOT NULL,
  -- Of one that is pending. While it is being sent, when it is taken for forgotten.
  next_attempt_at bigint  NOT NULL,
  last_error      text,
  settled_at      bigint,
  UNIQUE (session_id, sequence),
  CHECK ((status = 'pending') = (settled_at IS NULL))
);

CREATE INDEX events_due ON events (next_attempt_at) WHERE status = 'pending';
CREATE INDEX events_newest ON events (created_at, event_id);
CREATE INDEX events_newest_in_status ON events (status, created_at, event_id);

CREATE FUNCTION upload_sessions_tell_created() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (event_id, session_id, sequence, type, created_at, pending_since, next_attempt_at)
  VALUES ('evt_' || replace(gen_random_uuid()::text, '-', ''), new.session_id, 1, 'upload.created',
    new.created_at, new.created_at, new.created_at);
  RETURN NULL;
END $$;
CREATE TRIGGER upload_sessions_tell_created AFTER INSERT ON upload_sessions
  FOR EACH ROW EXECUTE FUNCTION upload_sessions_tell_created();

-- Not due before the events that it has to wait for. Events of unfinished sessions are never forgotten, so numbers do not begin again.
CREATE FUNCTION upload_sessions_tell_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO events (event_id, session_id, sequence, type, created_at, pending_since, next_attempt_at)
  SELECT 'evt_' || replace(gen_random_uuid()::text, '-', ''), new.session_id, COALESCE(MAX(sequence), 0) + 1, 'upload.' || new.status,
    new.updated_at, new.updated_at, GREATEST(new.updated_at, MAX(next_attempt_at) FILTER (WHERE status = 'pending'))
  FROM events WHERE session_id = new.session_id;
  RETURN NULL;
END $$;
CREATE TRIGGER upload_sessions_tell_ended AFTER UPDATE OF status ON upload_sessions
  FOR EACH ROW
  WHEN (new.status IN ('completed', 'aborted', 'expired') AND old.status NOT IN ('completed', 'aborted', 'expired'))
  EXECUTE FUNCTION upload_sessions_tell_ended();
