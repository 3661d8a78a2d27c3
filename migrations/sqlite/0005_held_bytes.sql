-- What the parts on record of each session's current upload amount to, so that what all unfinished sessions hold is a sum over sessions
-- and not over parts, of which there may be millions. Counted by triggers, in the transaction of each change: no code path can forget it.
ALTER TABLE upload_sessions ADD COLUMN held_bytes INTEGER NOT NULL DEFAULT 0 CHECK (held_bytes >= 0);
UPDATE upload_sessions SET held_bytes = (
  SELECT COALESCE(SUM(p.size), 0) FROM parts p
  WHERE p.session_id = upload_sessions.session_id AND p.generation = upload_sessions.generation);

CREATE TRIGGER parts_hold AFTER INSERT ON parts
BEGIN
  UPDATE upload_sessions SET held_bytes = held_bytes + new.size
  WHERE session_id = new.session_id AND generation = new.generation;
END;

CREATE TRIGGER parts_hold_other AFTER UPDATE OF size ON parts WHEN new.size <> old.size
BEGIN
  UPDATE upload_sessions SET held_bytes = held_bytes + new.size - old.size
  WHERE session_id = new.session_id AND generation = new.generation;
END;

CREATE TRIGGER parts_hold_no_more AFTER DELETE ON parts
BEGIN
  UPDATE upload_sessions SET held_bytes = held_bytes - old.size
  WHERE session_id = old.session_id AND generation = old.generation;
END;

-- Its parts start empty.
CREATE TRIGGER upload_sessions_hold_nothing AFTER UPDATE OF generation ON upload_sessions WHEN new.generation <> old.generation
BEGIN
  UPDATE upload_sessions SET held_bytes = 0 WHERE session_id = new.session_id;
END;
