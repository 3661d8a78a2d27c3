-- What the parts on record of each session's current upload amount to: every look at a session tells it, and a sum over its parts makes
-- a report of a long upload dearer with each part. Counted by triggers, in the transaction of each change: no code path can forget it.
ALTER TABLE upload_sessions ADD COLUMN stored_bytes bigint NOT NULL DEFAULT 0 CHECK (stored_bytes >= 0);
ALTER TABLE upload_sessions ADD COLUMN parts_stored integer NOT NULL DEFAULT 0 CHECK (parts_stored >= 0);
UPDATE upload_sessions s SET stored_bytes = stored.bytes, parts_stored = stored.parts
FROM (SELECT session_id, generation, SUM(size)::bigint AS bytes, COUNT(*) AS parts FROM parts GROUP BY session_id, generation) stored
WHERE stored.session_id = s.session_id AND stored.generation = s.generation;

-- Once for each statement: for each row, a report of a hundred parts would make a hundred versions of its session's. In a loop, mostly of
-- one turn: PostgreSQL cannot tell how few sessions a statement is about, and would join them with all that there are.
CREATE FUNCTION parts_stored() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE stored record;
BEGIN
  FOR stored IN
    SELECT session_id, generation, SUM(size)::bigint AS bytes, COUNT(*) AS parts FROM new_parts GROUP BY session_id, generation
  LOOP
    UPDATE upload_sessions SET stored_bytes = stored_bytes + stored.bytes, parts_stored = parts_stored + stored.parts
    WHERE session_id = stored.session_id AND generation = stored.generation;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER parts_stored AFTER INSERT ON parts REFERENCING NEW TABLE AS new_parts
  FOR EACH STATEMENT EXECUTE FUNCTION parts_stored();

CREATE FUNCTION parts_replaced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE stored record;
BEGIN
  FOR stored IN
    SELECT session_id, generation, SUM(size)::bigint AS bytes
    FROM (SELECT session_id, generation, size FROM new_parts UNION ALL SELECT session_id, generation, -size FROM old_parts) changed
    GROUP BY session_id, generation HAVING SUM(size) <> 0
  LOOP
    UPDATE upload_sessions SET stored_bytes = stored_bytes + stored.bytes
    WHERE session_id = stored.session_id AND generation = stored.generation;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER parts_replaced AFTER UPDATE ON parts REFERENCING NEW TABLE AS new_parts OLD TABLE AS old_parts
  FOR EACH STATEMENT EXECUTE FUNCTION parts_replaced();

CREATE FUNCTION parts_gone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE stored record;
BEGIN
  FOR stored IN
    SELECT session_id, generation, SUM(size)::bigint AS bytes, COUNT(*) AS parts FROM old_parts GROUP BY session_id, generation
  LOOP
    UPDATE upload_sessions SET stored_bytes = stored_bytes - stored.bytes, parts_stored = parts_stored - stored.parts
    WHERE session_id = stored.session_id AND generation = stored.generation;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER parts_gone AFTER DELETE ON parts REFERENCING OLD TABLE AS old_parts
  FOR EACH STATEMENT EXECUTE FUNCTION parts_gone();

-- Its parts start empty.
CREATE FUNCTION upload_sessions_start_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  new.stored_bytes := 0;
  new.parts_stored := 0;
  RETURN new;
END $$;
CREATE TRIGGER upload_sessions_start_empty BEFORE UPDATE OF generation ON upload_sessions
  FOR EACH ROW WHEN (new.generation <> old.generation) EXECUTE FUNCTION upload_sessions_start_empty();
