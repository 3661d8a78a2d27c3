import type { Session } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import type { RunTotals, UploadResult } from '../progress/events.ts';

/** A session of which the server says all that a finished one has. */
export type CompletedSession = Session & { readonly etag: string; readonly checksum: string };

/** The facts about an object that this client knows by itself. */
export interface ExpectedObject {
  /** As it was when this run began. */
  readonly session: Session;
  /** Base64 CRC32 of the bytes that were read from the source; left out where they are compared later. */
  readonly checksum?: string;
}

/**
 * The server's answer about a finished upload, once it fits what this client knows of it. Nothing may be called verified
 * on an answer that this has not seen.
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

/** Of a run that sent nothing: it only compared. */
export function nothingSent(seconds: number): RunTotals {
  return { bytesSent: 0, seconds, averageBytesPerSecond: 0, retries: 0, offlineSeconds: 0, wastedBytes: 0 };
}

export function ended(session: Session): UploadError {
  return new UploadError('SESSION_NOT_OPEN', `The session ${session.sessionId} is ${session.status}.`, {
    hint: 'Its parts are gone: upload the file again.',
    facts: { sessionStatus: session.status },
  });
}

export function interrupted({ size }: Session, storedBytes: number): UploadError {
  return new UploadError('INTERRUPTED', 'The upload was interrupted.', { facts: { storedBytes, size } });
}
