import pRetry from 'p-retry';
import type { ControlPlane } from '../client/control-plane.ts';
import { untilAllowed } from '../client/link/rate-limit.ts';
import type { ServerWait } from '../client/link/server-wait.ts';
import type * as wire from '../contract/wire.ts';
import { isUploadError, UploadError } from '../session/errors.ts';

export interface FindSessionOptions {
  readonly signal?: AbortSignal;
  /** How often the server is asked while it is away; a few times where left out. */
  readonly untilAnswered?: ServerWait;
}

/** @throws UploadError `RESULT_MISMATCH` if the answer is about another session. */
export async function findSession(
  controlPlane: ControlPlane,
  sessionId: string,
  { signal = new AbortController().signal, untilAnswered = (call) => aFewTimes(call, signal) }: FindSessionOptions = {},
): Promise<wire.Session> {
  const session = await untilAnswered(() => controlPlane.get(sessionId, signal));
  if (session.sessionId === sessionId) return session;
  throw new UploadError('RESULT_MISMATCH', `Asked for the session ${sessionId}, the server answered with ${session.sessionId}.`);
}

/** On the links that partway is made for, the first request may well be the one that is lost. */
function aFewTimes<Result>(call: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  return pRetry(() => untilAllowed(call, signal), {
    retries: 2,
    minTimeout: 300,
    shouldRetry: ({ error }) => isUploadError(error, 'SERVER_UNREACHABLE'),
    signal,
  });
}
