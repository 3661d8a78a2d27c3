-- Who sweeps, where several servers use the database. One row at most; without one, or once it has expired, anybody may.
CREATE TABLE sweep_lease (
  only_row   integer NOT NULL PRIMARY KEY CHECK (only_row = 1),
  holder     text    NOT NULL,
  expires_at bigint  NOT NULL
);
