import type { Session } from '../contract/wire.ts';
import { UploadError } from '../session/errors.ts';
import type { UploadResult } from './events.ts';

export function resultOf(session: Session, bytesSent: number, seconds: number): UploadResult {
  const { sessionId, bucket, key, size, etag, checksum } = session;
  if (session.status !== 'completed' || etag === null || checksum === null) throw ended(session);
  return { sessionId, bucket, key, status: 'completed', bytes: size, bytesSent, seconds, etag, checksum };
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
