import type { Session } from '../contract/wire.ts';
import { UploadError } from '../session/errors.ts';
import type { RunTotals, UploadResult } from './events.ts';

export function resultOf(session: Session, totals: RunTotals, unprovenBytes: number): UploadResult {
  const { sessionId, bucket, key, size, etag, checksum } = session;
  if (session.status !== 'completed' || etag === null || checksum === null) throw ended(session);
  const proof = unprovenBytes === 0 ? 'full' : 'partial';
  return { sessionId, bucket, key, status: 'completed', bytes: size, ...totals, etag, checksum, proof, unprovenBytes };
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
