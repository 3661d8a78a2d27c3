-- The tables of migrations/sqlite, with the same numbers and names. Instants are milliseconds since the Unix epoch; sizes are bytes,
-- and at most 2^53 - 1, the largest whole number that JavaScript reads back exactly.
-- COLLATE "C" compares text by its bytes, as SQLite does: ranges of keys, cursors and lists do not depend on the database's language.

CREATE TABLE upload_sessions (
  session_id       text COLLATE "C" NOT NULL PRIMARY KEY,
  owner            text COLLATE "C" NOT NULL,
  bucket           text COLLATE "C" NOT NULL,
  object_key       text COLLATE "C" NOT NULL,
  file_name        text     NOT NULL,
  size             bigint   NOT NULL CHECK (size BETWEEN 0 AND 9007199254740991),
  content_type     text,
  -- Text, not jsonb: it is read as it was written, and never searched.
  metadata         text     NOT NULL CHECK (json_typeof(metadata::json) = 'object'),
  overwrite        boolean  NOT NULL,
  fingerprint      text COLLATE "C",

  strategy         text     NOT NULL CHECK (strategy IN ('single', 'chunked', 'multipart')),
  part_size        bigint   NOT NULL CHECK (part_size BETWEEN 0 AND 9007199254740991),
  part_count       integer  NOT NULL CHECK (part_count BETWEEN 1 AND 10000),

  status           text COLLATE "C" NOT NULL
    CHECK (status IN ('creating', 'open', 'completing', 'completed', 'aborting', 'aborted', 'expired')),
  ends_as          text     CHECK (ends_as IN ('aborted', 'expired')),
  generation       integer  NOT NULL CHECK (generation >= 1),
  etag             text,
  checksum         text,

  created_at       bigint   NOT NULL,
  updated_at       bigint   NOT NULL,
  last_activity_at bigint   NOT NULL,

  in_flight_bytes  bigint   NOT NULL DEFAULT 0 CHECK (in_flight_bytes BETWEEN 0 AND 9007199254740991),
  bytes_per_second double precision NOT NULL DEFAULT 0 CHECK (bytes_per_second >= 0),
  reported_at      bigint,

  -- Since when the object store may hold a multipart upload of this key that nobody recorded (a crash came in between).
  orphan_suspected_at bigint,

  -- Without it the sweeper could not finish what a crash interrupted: the intent is stored before the side effect.
  CHECK (status <> 'aborting' OR ends_as IS NOT NULL),
  -- `completed` follows a verified object, and every object has an ETag.
  CHECK (status <> 'completed' OR etag IS NOT NULL)
);

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
  session_id      text COLLATE "C" NOT NULL REFERENCES upload_sessions (session_id),
  generation      integer NOT NULL CHECK (generation >= 1),
  upload_id       text COLLATE "C" NOT NULL,
  initiated_at    bigint  NOT NULL,
  -- When the object store last said which parts it holds.
  parts_listed_at bigint,
  ended_at        bigint,
  PRIMARY KEY (session_id, generation)
);

-- Not unique: only bucket, key and upload id together name an upload at an object store.
CREATE INDEX multipart_uploads_upload_id ON multipart_uploads (upload_id);
-- Leftovers are looked for among the uploads that have not ended: few, however long the history is.
CREATE INDEX multipart_uploads_not_ended ON multipart_uploads (initiated_at) WHERE ended_at IS NULL;

CREATE TABLE parts (
  session_id  text COLLATE "C" NOT NULL,
  generation  integer NOT NULL,
  part_number integer NOT NULL CHECK (part_number BETWEEN 1 AND 10000),
  etag        text    NOT NULL,
  checksum    text,
  -- 5 TiB, the largest object: 10,000 such parts still add up to less than 2^63.
  size        bigint  NOT NULL CHECK (size BETWEEN 0 AND 5497558138880),
  -- Tells a part reported while the object store was being listed from one that the store has lost.
  recorded_at bigint  NOT NULL,
  PRIMARY KEY (session_id, generation, part_number),
  FOREIGN KEY (session_id, generation) REFERENCES multipart_uploads (session_id, generation)
);

-- The clients that have reported on a session, in order of their first report: the newest owns the session.
CREATE TABLE session_clients (
  session_id        text COLLATE "C" NOT NULL REFERENCES upload_sessions (session_id),
  client_id         text COLLATE "C" NOT NULL,
  ordinal           integer NOT NULL CHECK (ordinal >= 1),
  first_reported_at bigint  NOT NULL,
  PRIMARY KEY (session_id, client_id),
  UNIQUE (session_id, ordinal)
);

CREATE TABLE idempotency_keys (
  owner           text COLLATE "C" NOT NULL,
  idempotency_key text COLLATE "C" NOT NULL,
  request_hash    text   NOT NULL,
  session_id      text COLLATE "C" NOT NULL REFERENCES upload_sessions (session_id),
  created_at      bigint NOT NULL,
  PRIMARY KEY (owner, idempotency_key)
);

CREATE TABLE tokens (
  token_id   text COLLATE "C" NOT NULL PRIMARY KEY,
  name       text   NOT NULL,
  -- SHA-256 in hex. A copy of this database lets nobody in.
  hash       text COLLATE "C" NOT NULL UNIQUE,
  created_at bigint NOT NULL
);
