-- What a token may do, and how much. Tokens made before were accepted for everything, and stay so.
CREATE TABLE tokens_with_limits (
  token_id          TEXT    NOT NULL PRIMARY KEY,
  -- Sessions belong to the name: a new token of the same name goes on with them.
  name              TEXT    NOT NULL,
  -- SHA-256 in hex. A copy of this database lets nobody in.
  hash              TEXT    NOT NULL UNIQUE,
  scopes            TEXT    NOT NULL CHECK (json_type(scopes) = 'array'),
  bucket            TEXT,
  key_prefix        TEXT    NOT NULL,
  content_types     TEXT    CHECK (json_type(content_types) = 'array'),
  max_object_size   INTEGER CHECK (max_object_size BETWEEN 0 AND 9007199254740991),
  quota_bytes       INTEGER CHECK (quota_bytes BETWEEN 0 AND 9007199254740991),
  max_open_sessions INTEGER CHECK (max_open_sessions >= 0),
  created_at        INTEGER NOT NULL,
  expires_at        INTEGER,
  revoked_at        INTEGER
) STRICT;
INSERT INTO tokens_with_limits (token_id, name, hash, scopes, key_prefix, created_at)
  SELECT token_id, name, hash, '["admin"]', '', created_at FROM tokens;
DROP TABLE tokens;
ALTER TABLE tokens_with_limits RENAME TO tokens;
CREATE INDEX tokens_oldest ON tokens (created_at, token_id);

-- Tokens for one session: this upload and nothing else. Valid no longer than the token that granted them.
CREATE TABLE capabilities (
  hash          TEXT    NOT NULL PRIMARY KEY,
  capability_id TEXT    NOT NULL,
  session_id    TEXT    NOT NULL REFERENCES upload_sessions (session_id),
  -- A token_id; of the token in the environment, the one that the server derives from it.
  granted_by    TEXT    NOT NULL,
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX capabilities_expiry ON capabilities (expires_at);

ALTER TABLE upload_sessions ADD COLUMN content_disposition TEXT;
ALTER TABLE upload_sessions ADD COLUMN tags TEXT NOT NULL DEFAULT '{}' CHECK (json_type(tags) = 'object');

-- What finds the session of a file again: the key itself, or, behind `//` (no key starts so), the template that it was made of
-- with what differs from one session to the next, such as the date, left open.
ALTER TABLE upload_sessions ADD COLUMN key_request TEXT NOT NULL DEFAULT '';
UPDATE upload_sessions SET key_request = object_key;
DROP INDEX upload_sessions_running;
CREATE UNIQUE INDEX upload_sessions_running ON upload_sessions (owner, bucket, key_request, size, fingerprint)
  WHERE fingerprint IS NOT NULL AND status IN ('creating', 'open', 'completing');

-- Finds the sessions that are about to make an object above or below a key, or have just made one.
CREATE INDEX upload_sessions_keys ON upload_sessions (bucket, object_key);

-- Keys are forgotten when nobody can still be repeating his request.
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- What an owner holds, for limits. Counted by triggers, in the transaction of each change: no code path can forget it, and
-- a create of a small file does not sum up the history of its owner.
CREATE TABLE owner_usage (
  owner          TEXT    NOT NULL PRIMARY KEY,
  open_sessions  INTEGER NOT NULL CHECK (open_sessions >= 0),
  -- Sizes of the sessions that have not ended.
  reserved_bytes INTEGER NOT NULL CHECK (reserved_bytes >= 0),
  -- Sizes of the completed ones.
  settled_bytes  INTEGER NOT NULL CHECK (settled_bytes >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO owner_usage (owner, open_sessions, reserved_bytes, settled_bytes)
  SELECT owner, SUM(status NOT IN ('completed', 'aborted', 'expired')),
    SUM(CASE WHEN status NOT IN ('completed', 'aborted', 'expired') THEN size ELSE 0 END),
    SUM(CASE WHEN status = 'completed' THEN size ELSE 0 END)
  FROM upload_sessions GROUP BY owner;

CREATE TRIGGER upload_sessions_reserve AFTER INSERT ON upload_sessions
BEGIN
  INSERT INTO owner_usage (owner, open_sessions, reserved_bytes, settled_bytes) VALUES (new.owner, 1, new.size, 0)
    ON CONFLICT (owner) DO UPDATE SET open_sessions = open_sessions + 1, reserved_bytes = reserved_bytes + excluded.reserved_bytes;
END;

-- Sessions are never deleted, and an ended one never starts again.
CREATE TRIGGER upload_sessions_settle AFTER UPDATE OF status ON upload_sessions
  WHEN new.status IN ('completed', 'aborted', 'expired') AND old.status NOT IN ('completed', 'aborted', 'expired')
BEGIN
  UPDATE owner_usage SET open_sessions = open_sessions - 1, reserved_bytes = reserved_bytes - new.size,
    settled_bytes = settled_bytes + CASE WHEN new.status = 'completed' THEN new.size ELSE 0 END
  WHERE owner = new.owner;
END;
