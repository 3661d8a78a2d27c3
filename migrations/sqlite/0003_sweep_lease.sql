-- Who sweeps, where several servers use the database. One row at most; without one, or once it has expired, anybody may.
CREATE TABLE sweep_lease (
  only_row   INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
  holder     TEXT    NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
