import type { Session } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import type { RunTotals, UploadResult } from '../progress/events.ts';

/** A completed session with everything that the server knows of its object. */
export type CompletedSession = Session & { readonly etag: string; readonly checksum: string };

/** The facts about an object that this client knows without the server. */
export interface ExpectedObject {
  /** The session as it was when this run began. */
  readonly session: Session;
  /** Base64 CRC32 of the bytes that were read from the source; left out where they are compared later. */
  readonly checksum?: string;
}

/**
 * Returns the server's answer about a finished upload if it fits what this client knows. Nothing may be called verified by an
 * answer that was not checked here.
 * @throws UploadError `RESULT_MISMATCH` naming what differs.
 */
export function checkedAnswer(answer: Session, { session, checksum }: ExpectedObject): CompletedSession {
  const expected: Partial<Session> = {
    sessionId: session.sessionId,
    status: 'completed',
    bucket: session.bucket,
    key: session.key,
    size: session.size,
    ...(checksum === undefined ? {} : { checksum }),
  };
  const fields = Object.keys(expected) as (keyof typeof expected)[];
  const differing = fields.filter((field) => answer[field] !== expected[field]);
  if (differing.length > 0) throw resultMismatch(session, differing, answer, expected);
  if (!isComplete(answer)) throw resultIncomplete(session);
  return answer;
}

export function resultOf(session: Session, totals: RunTotals, unprovenBytes: number): UploadResult {
  const { sessionId, bucket, key, size, etag, checksum } = checkedAnswer(session, { session });
  const proof = unprovenBytes === 0 ? 'full' : 'partial';
  return { sessionId, bucket, key, status: 'completed', bytes: size, ...totals, etag, checksum, proof, unprovenBytes };
}

function isComplete(session: Session): session is CompletedSession {
  return typeof session.etag === 'string' && typeof session.checksum === 'string';
}

const CALLED_DIFFERENTLY: Partial<Record<keyof Session, string>> = { sessionId: 'session', checksum: 'CRC32' };

function resultMismatch(
  { sessionId, bucket, key }: Session,
  differing: readonly (keyof Session)[],
  answer: Session,
  expected: Partial<Session>,
): UploadError {
  const differences = differing.map(
    (field) => `its ${CALLED_DIFFERENTLY[field] ?? field} is ${answer[field]}, not ${expected[field]}`,
  );
  return new UploadError(
    'RESULT_MISMATCH',
    `The server's answer about ${bucket}/${key} is not about what was sent: ${differences.join('; ')}.`,
    {
      hint: `Compare the object itself with the file: partway verify ${sessionId}`,
      facts: { differing },
    },
  );
}

function resultIncomplete({ sessionId, bucket, key }: Session): UploadError {
  return new UploadError('RESULT_MISMATCH', `The server calls ${bucket}/${key} completed, and knows no ETag or no CRC32 of it.`, {
    hint: `There is nothing to compare the file with. Compare the object itself: partway verify ${sessionId}`,
  });
}

/** The totals of a run that only compared, and sent nothing. */
export function nothingSent(seconds: number): RunTotals {
  return { bytesSent: 0, seconds, averageBytesPerSecond: 0, retries: 0, offlineSeconds: 0, wastedBytes: 0 };
}

/** `send`: parts may be missing. `compare`: the object is there, and a file can only be compared with it. */
export type RemainingWork = 'send' | 'compare';

/** Judges what can still be done with a session. @throws UploadError `SESSION_NOT_OPEN` where it has ended without an object */
export function remainingWork({ sessionId, status }: Session): RemainingWork {
  if (status === 'completed') return 'compare';
  if (status !== 'aborting' && status !== 'aborted' && status !== 'expired') return 'send';
  const what = status === 'expired' ? 'has expired' : 'was aborted';
  throw new UploadError('SESSION_NOT_OPEN', `The session ${sessionId} ${what}; its parts are deleted.`, {
    hint: 'Upload the file again; that starts a new session.',
    facts: { sessionStatus: status },
  });
}

export function interrupted({ size }: Session, storedBytes: number): UploadError {
  return new UploadError('INTERRUPTED', 'The upload was interrupted.', { facts: { storedBytes, size } });
}
