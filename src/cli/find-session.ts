import pRetry from 'p-retry';
import type { ControlPlane } from '../client/control-plane.ts';
import { untilAllowed } from '../client/link/rate-limit.ts';
import type * as wire from '../contract/wire.ts';
import { isUploadError, UploadError } from '../session/errors.ts';

/**
 * Asks a few times: on the links that partway is made for, the first request may well be the one that is lost.
 * @throws UploadError `RESULT_MISMATCH` if the answer is about another session.
 */
export async function findSession(
  controlPlane: ControlPlane,
  sessionId: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<wire.Session> {
  const session = await pRetry(() => untilAllowed(() => controlPlane.get(sessionId, signal), signal), {
    retries: 2,
    minTimeout: 300,
    shouldRetry: ({ error }) => isUploadError(error, 'SERVER_UNREACHABLE'),
    signal,
  });
  if (session.sessionId === sessionId) return session;
  throw new UploadError('RESULT_MISMATCH', `Asked for the session ${sessionId}, the server answered with ${session.sessionId}.`);
}
