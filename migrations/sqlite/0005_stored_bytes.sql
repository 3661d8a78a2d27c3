-- What the parts on record of each session's current upload amount to: every look at a session tells it, and a sum over its parts makes
-- a report of a long upload dearer with each part. Counted by triggers, in the transaction of each change: no code path can forget it.
ALTER TABLE upload_sessions ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0 CHECK (stored_bytes >= 0);
ALTER TABLE upload_sessions ADD COLUMN parts_stored INTEGER NOT NULL DEFAULT 0 CHECK (parts_stored >= 0);
UPDATE upload_sessions SET (stored_bytes, parts_stored) = (
  SELECT COALESCE(SUM(p.size), 0), COUNT(*) FROM parts p
  WHERE p.session_id = upload_sessions.session_id AND p.generation = upload_sessions.generation);

CREATE TRIGGER parts_stored AFTER INSERT ON parts
BEGIN
  UPDATE upload_sessions SET stored_bytes = stored_bytes + new.size, parts_stored = parts_stored + 1
  WHERE session_id = new.session_id AND generation = new.generation;
END;

CREATE TRIGGER parts_replaced AFTER UPDATE OF size ON parts WHEN new.size <> old.size
BEGIN
  UPDATE upload_sessions SET stored_bytes = stored_bytes + new.size - old.size
  WHERE session_id = new.session_id AND generation = new.generation;
END;

CREATE TRIGGER parts_gone AFTER DELETE ON parts
BEGIN
  UPDATE upload_sessions SET stored_bytes = stored_bytes - old.size, parts_stored = parts_stored - 1
  WHERE session_id = old.session_id AND generation = old.generation;
END;

-- Its parts start empty.
CREATE TRIGGER upload_sessions_start_empty AFTER UPDATE OF generation ON upload_sessions WHEN new.generation <> old.generation
BEGIN
  UPDATE upload_sessions SET stored_bytes = 0, parts_stored = 0 WHERE session_id = new.session_id;
END;
