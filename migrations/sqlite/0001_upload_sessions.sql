-- Instants are milliseconds since the Unix epoch; sizes are bytes. INTEGER in SQLite is 64-bit.
-- STRICT: SQLite would otherwise take any type in any column. The upper bound of sizes is 2^53 - 1, the largest whole
-- number that JavaScript reads back exactly; which sizes make sense is the part plan's business (src/session).

CREATE TABLE upload_sessions (
  session_id       TEXT    NOT NULL PRIMARY KEY,
  owner            TEXT    NOT NULL,
  bucket           TEXT    NOT NULL,
  object_key       TEXT    NOT NULL,
  file_name        TEXT    NOT NULL,
  size             INTEGER NOT NULL CHECK (size BETWEEN 0 AND 9007199254740991),
  content_type     TEXT,
  metadata         TEXT    NOT NULL CHECK (json_type(metadata) = 'object'),
  overwrite        INTEGER NOT NULL CHECK (overwrite IN (0, 1)),
  fingerprint      TEXT,

  strategy         TEXT    NOT NULL CHECK (strategy IN ('single', 'chunked', 'multipart')),
  part_size        INTEGER NOT NULL CHECK (part_size BETWEEN 0 AND 9007199254740991),
  part_count       INTEGER NOT NULL CHECK (part_count BETWEEN 1 AND 10000),

  status           TEXT    NOT NULL
    CHECK (status IN ('creating', 'open', 'completing', 'completed', 'aborting', 'aborted', 'expired')),
  ends_as          TEXT    CHECK (ends_as IN ('aborted', 'expired')),
  generation       INTEGER NOT NULL CHECK (generation >= 1),
  etag             TEXT,
  checksum         TEXT,

  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  last_activity_at INTEGER NOT NULL,

  in_flight_bytes  INTEGER NOT NULL DEFAULT 0 CHECK (in_flight_bytes BETWEEN 0 AND 9007199254740991),
  bytes_per_second REAL    NOT NULL DEFAULT 0 CHECK (bytes_per_second >= 0),
  reported_at      INTEGER,

  -- Since when the object store may hold a multipart upload of this key that nobody recorded (a crash came in between).
  orphan_suspected_at INTEGER,

  -- Without it the sweeper could not finish what a crash interrupted: the intent is stored before the side effect.
  CHECK (status <> 'aborting' OR ends_as IS NOT NULL),
  -- `completed` follows a verified object, and every object has an ETag.
  CHECK (status <> 'completed' OR etag IS NOT NULL)
) STRICT;

-- There is no counter of stored bytes: it is summed from `parts`, so it cannot disagree with them.

-- Lists: newest first, a page after (created_at, session_id). One index for each combination of filters, so that no page
-- reads rows that it does not answer.
CREATE INDEX upload_sessions_newest ON upload_sessions (created_at, session_id);
CREATE INDEX upload_sessions_newest_of_owner ON upload_sessions (owner, created_at, session_id);
CREATE INDEX upload_sessions_newest_in_status ON upload_sessions (status, created_at, session_id);
CREATE INDEX upload_sessions_newest_of_owner_in_status ON upload_sessions (owner, status, created_at, session_id);

-- The sweeper: sessions stuck in an `-ing` status, and sessions whose time has run out.
CREATE INDEX upload_sessions_unchanged ON upload_sessions (status, updated_at);
CREATE INDEX upload_sessions_idle ON upload_sessions (status, last_activity_at);

-- A fingerprint belongs to a handful of sessions: owner, bucket, key and size are compared on their rows.
CREATE INDEX upload_sessions_fingerprint ON upload_sessions (fingerprint, created_at, session_id)
  WHERE fingerprint IS NOT NULL;

-- Two clients that start with the same file at the same moment get one session.
CREATE UNIQUE INDEX upload_sessions_running ON upload_sessions (owner, bucket, object_key, size, fingerprint)
  WHERE fingerprint IS NOT NULL AND status IN ('creating', 'open', 'completing');

CREATE INDEX upload_sessions_orphan_suspects ON upload_sessions (orphan_suspected_at) WHERE orphan_suspected_at IS NOT NULL;

-- One row for each multipart upload that a session has had. A row without ended_at is one that the object store may hold.
CREATE TABLE multipart_uploads (
  session_id      TEXT    NOT NULL REFERENCES upload_sessions (session_id),
  generation      INTEGER NOT NULL CHECK (generation >= 1),
  upload_id       TEXT    NOT NULL,
  initiated_at    INTEGER NOT NULL,
  -- When the object store last said which parts it holds.
  parts_listed_at INTEGER,
  ended_at        INTEGER,
  PRIMARY KEY (session_id, generation)
) STRICT, WITHOUT ROWID;

-- Not unique: only bucket, key and upload id together name an upload at an object store.
CREATE INDEX multipart_uploads_upload_id ON multipart_uploads (upload_id);
-- Leftovers are looked for among the uploads that have not ended: few, however long the history is.
CREATE INDEX multipart_uploads_not_ended ON multipart_uploads (initiated_at) WHERE ended_at IS NULL;

-- WITHOUT ROWID stores a generation's parts side by side in key order: summing or listing them reads one stretch of pages.
CREATE TABLE parts (
  session_id  TEXT    NOT NULL,
  generation  INTEGER NOT NULL,
  part_number INTEGER NOT NULL CHECK (part_number BETWEEN 1 AND 10000),
  etag        TEXT    NOT NULL,
  checksum    TEXT,
  -- 5 TiB, the largest object: 10,000 such parts still add up to less than 2^63, so the sum cannot overflow.
  size        INTEGER NOT NULL CHECK (size BETWEEN 0 AND 5497558138880),
  -- Tells a part reported while the object store was being listed from one that the store has lost.
  recorded_at INTEGER NOT NULL,
  PRIMARY KEY (session_id, generation, part_number),
  FOREIGN KEY (session_id, generation) REFERENCES multipart_uploads (session_id, generation)
) STRICT, WITHOUT ROWID;

-- The clients that have reported on a session, in order of their first report: the newest owns the session.
CREATE TABLE session_clients (
  session_id        TEXT    NOT NULL REFERENCES upload_sessions (session_id),
  client_id         TEXT    NOT NULL,
  ordinal           INTEGER NOT NULL CHECK (ordinal >= 1),
  first_reported_at INTEGER NOT NULL,
  PRIMARY KEY (session_id, client_id),
  UNIQUE (session_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
  owner           TEXT    NOT NULL,
  idempotency_key TEXT    NOT NULL,
  request_hash    TEXT    NOT NULL,
  session_id      TEXT    NOT NULL REFERENCES upload_sessions (session_id),
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (owner, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
  token_id   TEXT    NOT NULL PRIMARY KEY,
  name       TEXT    NOT NULL,
  -- SHA-256 in hex. A copy of this database lets nobody in.
  hash       TEXT    NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
) STRICT;
