-- What the parts on record of each session's current upload amount to, so that what all unfinished sessions hold is a sum over sessions
-- and not over parts, of which there may be millions. Counted by triggers, in the transaction of each change: no code path can forget it.
ALTER TABLE upload_sessions ADD COLUMN held_bytes bigint NOT NULL DEFAULT 0 CHECK (held_bytes >= 0);
UPDATE upload_sessions s SET held_bytes = held.bytes
FROM (SELECT session_id, generation, SUM(size)::bigint AS bytes FROM parts GROUP BY session_id, generation) held
WHERE held.session_id = s.session_id AND held.generation = s.generation;

-- Once for each statement: for each row, a report of a hundred parts would make a hundred versions of its session's. In a loop, mostly of
-- one turn: PostgreSQL cannot tell how few sessions a statement is about, and would join them with all that there are.
CREATE FUNCTION parts_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE held record;
BEGIN
  FOR held IN SELECT session_id, generation, SUM(size)::bigint AS bytes FROM new_parts GROUP BY session_id, generation LOOP
    UPDATE upload_sessions SET held_bytes = held_bytes + held.bytes
    WHERE session_id = held.session_id AND generation = held.generation;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER parts_hold AFTER INSERT ON parts REFERENCING NEW TABLE AS new_parts
  FOR EACH STATEMENT EXECUTE FUNCTION parts_hold();

CREATE FUNCTION parts_hold_other() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE held record;
BEGIN
  FOR held IN
    SELECT session_id, generation, SUM(size)::bigint AS bytes
    FROM (SELECT session_id, generation, size FROM new_parts UNION ALL SELECT session_id, generation, -size FROM old_parts) changed
    GROUP BY session_id, generation HAVING SUM(size) <> 0
  LOOP
    UPDATE upload_sessions SET held_bytes = held_bytes + held.bytes
    WHERE session_id = held.session_id AND generation = held.generation;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER parts_hold_other AFTER UPDATE ON parts REFERENCING NEW TABLE AS new_parts OLD TABLE AS old_parts
  FOR EACH STATEMENT EXECUTE FUNCTION parts_hold_other();

CREATE FUNCTION parts_hold_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE held record;
BEGIN
  FOR held IN SELECT session_id, generation, SUM(size)::bigint AS bytes FROM old_parts GROUP BY session_id, generation LOOP
    UPDATE upload_sessions SET held_bytes = held_bytes - held.bytes
    WHERE session_id = held.session_id AND generation = held.generation;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER parts_hold_no_more AFTER DELETE ON parts REFERENCING OLD TABLE AS old_parts
  FOR EACH STATEMENT EXECUTE FUNCTION parts_hold_no_more();

-- Its parts start empty.
CREATE FUNCTION upload_sessions_hold_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  new.held_bytes := 0;
  RETURN new;
END $$;
CREATE TRIGGER upload_sessions_hold_nothing BEFORE UPDATE OF generation ON upload_sessions
  FOR EACH ROW WHEN (new.generation <> old.generation) EXECUTE FUNCTION upload_sessions_hold_nothing();
