import { isTerminal, STATUSES, type Status } from '../session/machine.ts';

// What both databases understand, of sessions. Parameters are `@names` in both.

export const AS_EXPECTED = 'session_id = @sessionId AND generation = @generation AND status = @status';
export const UNFINISHED = "status IN ('creating', 'open', 'completing')";
/** Or made it after the object store was looked at. */
export const MAKES_OBJECT = `(${UNFINISHED} OR (status = 'completed' AND updated_at >= @since))`;

/** Statuses of sessions that do not go on. */
export const ENDED = quoted(STATUSES.filter(isTerminal));
export const NOT_ENDED = quoted(STATUSES.filter((status) => !isTerminal(status)));

function quoted(statuses: readonly Status[]): string {
  return statuses.map((status) => `'${status}'`).join(', ');
}

/** `ordinal` is null for a client that has not reported before, `newest` for a session that nobody has reported on. */
export interface Ownership {
  readonly generation: number;
  /** SQLite has no booleans. */
  readonly opened: 0 | 1 | boolean;
  readonly ordinal: number | null;
  readonly newest: number | null;
}

export const OWNERSHIP_SQL = `
  SELECT s.generation,
    EXISTS (SELECT 1 FROM multipart_uploads u WHERE u.session_id = s.session_id AND u.generation = s.generation) AS opened,
    (SELECT ordinal FROM session_clients WHERE session_id = @sessionId AND client_id = @clientId) AS ordinal,
    (SELECT MAX(ordinal) FROM session_clients WHERE session_id = @sessionId) AS newest
  FROM upload_sessions s WHERE s.session_id = @sessionId`;
