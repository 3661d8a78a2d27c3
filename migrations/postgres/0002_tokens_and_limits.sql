-- What a token may do, and how much. Tokens made before were accepted for everything, and stay so.
ALTER TABLE tokens
  ADD COLUMN scopes            text   NOT NULL DEFAULT '["admin"]' CHECK (json_typeof(scopes::json) = 'array'),
  ADD COLUMN bucket            text,
  ADD COLUMN key_prefix        text   NOT NULL DEFAULT '',
  ADD COLUMN content_types     text   CHECK (json_typeof(content_types::json) = 'array'),
  ADD COLUMN max_object_size   bigint CHECK (max_object_size BETWEEN 0 AND 9007199254740991),
  ADD COLUMN quota_bytes       bigint CHECK (quota_bytes BETWEEN 0 AND 9007199254740991),
  ADD COLUMN max_open_sessions bigint CHECK (max_open_sessions >= 0),
  ADD COLUMN expires_at        bigint,
  ADD COLUMN revoked_at        bigint;
ALTER TABLE tokens ALTER COLUMN scopes DROP DEFAULT, ALTER COLUMN key_prefix DROP DEFAULT;
CREATE INDEX tokens_oldest ON tokens (created_at, token_id);

-- Tokens for one session: this upload and nothing else. Valid no longer than the token that granted them.
CREATE TABLE capabilities (
  hash          text COLLATE "C" NOT NULL PRIMARY KEY,
  capability_id text   NOT NULL,
  session_id    text COLLATE "C" NOT NULL REFERENCES upload_sessions (session_id),
  -- A token_id; of the token in the environment, the one that the server derives from it.
  granted_by    text   NOT NULL,
  created_at    bigint NOT NULL,
  expires_at    bigint NOT NULL
);
CREATE INDEX capabilities_expiry ON capabilities (expires_at);

ALTER TABLE upload_sessions ADD COLUMN content_disposition text;
ALTER TABLE upload_sessions ADD COLUMN tags text NOT NULL DEFAULT '{}' CHECK (json_typeof(tags::json) = 'object');

-- What finds the session of a file again: the key itself, or, behind `//` (no key starts so), the template that it was made of
-- with what differs from one session to the next, such as the date, left open.
ALTER TABLE upload_sessions ADD COLUMN key_request text COLLATE "C" NOT NULL DEFAULT '';
UPDATE upload_sessions SET key_request = object_key;
DROP INDEX upload_sessions_running;
-- By its hash: an index entry has at most 2.7 KB, a template in letters of four bytes has more.
CREATE UNIQUE INDEX upload_sessions_running
  ON upload_sessions (owner, bucket, hashtextextended(key_request, 0), size, fingerprint)
  WHERE fingerprint IS NOT NULL AND status IN ('creating', 'open', 'completing');

-- Finds the sessions that are about to make an object above or below a key, or have just made one.
CREATE INDEX upload_sessions_keys ON upload_sessions (bucket, object_key);

-- Keys are forgotten when nobody can still be repeating his request.
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- What an owner holds, for limits. Counted by triggers, in the transaction of each change: no code path can forget it, and
-- a create of a small file does not sum up the history of its owner. Each change locks the owner's row until its transaction
-- ends, and adds to what it finds then: two at once lose nothing.
CREATE TABLE owner_usage (
  owner          text COLLATE "C" NOT NULL PRIMARY KEY,
  open_sessions  bigint NOT NULL CHECK (open_sessions >= 0),
  -- Sizes of the sessions that have not ended.
  reserved_bytes bigint NOT NULL CHECK (reserved_bytes >= 0),
  -- Sizes of the completed ones.
  settled_bytes  bigint NOT NULL CHECK (settled_bytes >= 0)
);
INSERT INTO owner_usage (owner, open_sessions, reserved_bytes, settled_bytes)
  SELECT owner, COUNT(*) FILTER (WHERE status NOT IN ('completed', 'aborted', 'expired')),
    COALESCE(SUM(size) FILTER (WHERE status NOT IN ('completed', 'aborted', 'expired')), 0),
    COALESCE(SUM(size) FILTER (WHERE status = 'completed'), 0)
  FROM upload_sessions GROUP BY owner;

CREATE FUNCTION upload_sessions_reserve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO owner_usage (owner, open_sessions, reserved_bytes, settled_bytes) VALUES (new.owner, 1, new.size, 0)
    ON CONFLICT (owner) DO UPDATE SET open_sessions = owner_usage.open_sessions + 1,
      reserved_bytes = owner_usage.reserved_bytes + excluded.reserved_bytes;
  RETURN NULL;
END $$;
CREATE TRIGGER upload_sessions_reserve AFTER INSERT ON upload_sessions
  FOR EACH ROW EXECUTE FUNCTION upload_sessions_reserve();

-- Sessions are never deleted, and an ended one never starts again.
CREATE FUNCTION upload_sessions_settle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE owner_usage SET open_sessions = open_sessions - 1, reserved_bytes = reserved_bytes - new.size,
    settled_bytes = settled_bytes + CASE WHEN new.status = 'completed' THEN new.size ELSE 0 END
  WHERE owner = new.owner;
  RETURN NULL;
END $$;
CREATE TRIGGER upload_sessions_settle AFTER UPDATE OF status ON upload_sessions
  FOR EACH ROW
  WHEN (new.status IN ('completed', 'aborted', 'expired') AND old.status NOT IN ('completed', 'aborted', 'expired'))
  EXECUTE FUNCTION upload_sessions_settle();
