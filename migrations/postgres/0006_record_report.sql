-- What a client reports, recorded in one question: asked one by one, its seven statements made most of what 200 clients cost the server.
-- The same as SqliteStore's report. `outcome` is NULL where there is no such session; `session`, and `upload` of its generation, are as
-- they are afterwards.
CREATE FUNCTION record_report(
  reported_session text, reported_generation integer, client text, remembered_clients integer,
  part_numbers integer[], etags text[], checksums text[], sizes bigint[],
  in_flight bigint, speed double precision, reported_now bigint,
  OUT outcome text, OUT session upload_sessions, OUT upload multipart_uploads
) LANGUAGE plpgsql AS $$
DECLARE
  newest integer;
  own integer;
BEGIN
  -- The commit does not wait for the disk. What a crash of the database undoes, less than a second, the object store knows, too.
  PERFORM set_config('synchronous_commit', 'off', true);

  -- Reports and listings of a session come one after another: what is decided on its rows stays true until it is written.
  SELECT * INTO session FROM upload_sessions WHERE session_id = reported_session FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  SELECT COALESCE(MAX(ordinal), 0), MAX(ordinal) FILTER (WHERE client_id = client) INTO newest, own
  FROM session_clients WHERE session_id = reported_session;
  IF own < newest THEN
    outcome := 'replaced';
    RETURN;
  END IF;
  IF own IS NULL THEN
    INSERT INTO session_clients (session_id, client_id, ordinal, first_reported_at)
    VALUES (reported_session, client, newest + 1, reported_now);
    DELETE FROM session_clients WHERE session_id = reported_session AND ordinal <= newest + 1 - remembered_clients;
  END IF;

  SELECT * INTO upload FROM multipart_uploads WHERE session_id = reported_session AND generation = session.generation;
  IF NOT FOUND OR session.generation <> reported_generation THEN
    outcome := 'stale';
    UPDATE upload_sessions SET last_activity_at = GREATEST(last_activity_at, reported_now) WHERE session_id = reported_session
    RETURNING * INTO session;
    RETURN;
  END IF;

  INSERT INTO parts (session_id, generation, part_number, etag, checksum, size, recorded_at)
    SELECT reported_session, reported_generation, part_number, etag, checksum, size, reported_now
    FROM unnest(part_numbers, etags, checksums, sizes) AS given (part_number, etag, checksum, size)
  ON CONFLICT (session_id, generation, part_number) DO UPDATE SET etag = excluded.etag, checksum = excluded.checksum,
    size = excluded.size, recorded_at = excluded.recorded_at;
  outcome := 'recorded';
  UPDATE upload_sessions SET last_activity_at = GREATEST(last_activity_at, reported_now), reported_at = reported_now,
    in_flight_bytes = in_flight, bytes_per_second = speed
  WHERE session_id = reported_session
  RETURNING * INTO session;
END $$;
