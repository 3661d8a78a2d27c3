import pRetry from 'p-retry';
import type { ControlPlane } from '../../client/control-plane/control-plane.ts';
import { untilAllowed } from '../../client/control-plane/retry.ts';
import type * as wire from '../../contract/wire.ts';
import { isUploadError } from '../../session/errors.ts';

/** Asks a few times: on the links that partway is made for, the first request may well be the one that is lost. */
export function findSession(
  controlPlane: ControlPlane,
  sessionId: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<wire.Session> {
  return pRetry(() => untilAllowed(() => controlPlane.get(sessionId, signal), signal), {
    retries: 2,
    minTimeout: 300,
    shouldRetry: ({ error }) => isUploadError(error, 'SERVER_UNREACHABLE'),
    signal,
  });
}
