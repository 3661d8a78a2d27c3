import { isTerminal, STATUSES, type Status } from '../../session/machine.ts';

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
