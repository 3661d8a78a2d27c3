import type { EngineEvent } from '../../client/progress/events.ts';
import type * as wire from '../../contract/wire.ts';
import { formatInstant } from '../format/durations.ts';

/** Estimates of the first seconds are too inaccurate for a warning. */
const SETTLED_AFTER_MS = 30_000;

/**
 * Warns once if the upload will probably not finish before the object store itself deletes unfinished parts.
 * (The session's own expiry moves along with every part; the store's does not.)
 */
export function watchDeadline(
  session: wire.Session,
  now: () => number,
  warn: (message: string) => void,
  monotonic: () => number = () => performance.now(),
) {
  const startedAt = monotonic();
  const deadline = session.partsKeptUntil === null ? Number.POSITIVE_INFINITY : Date.parse(session.partsKeptUntil);
  let hasWarned = false;
  return (event: EngineEvent): void => {
    if (hasWarned || event.type !== 'progress' || event.secondsRemaining === null) return;
    if (monotonic() - startedAt < SETTLED_AFTER_MS) return;
    const end = now() + event.secondsRemaining * 1000;
    if (end <= deadline) return;
    hasWarned = true;
    warn(
      `at this speed the upload ends ${formatInstant(new Date(end))}, but the store deletes unfinished parts ${formatInstant(new Date(deadline))}. ` +
        'What it deletes must be sent again; ask for a longer MINIO_API_STALE_UPLOADS_EXPIRY (partway doctor says how).',
    );
  };
}
