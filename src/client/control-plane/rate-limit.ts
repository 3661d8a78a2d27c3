import { isUploadError, type UploadError } from '../../session/errors.ts';
import { waitBefore } from '../network/link.ts';
import { sleep } from '../network/sleep.ts';

/** Longer than this, and a server that says "later" is asked anyway. Ours says a minute at most. */
const LONGEST_RETRY_AFTER_MS = 60_000;
/** As long as a busy server, or a neighbour at the same address without a valid token, may keep a command from beginning. */
const PATIENCE_MS = 10 * 60_000;

/** How long the server asked to wait, in milliseconds; 0 where it did not say. */
export function askedForMs({ facts }: UploadError): number {
  const seconds = Number(facts.retryAfterSeconds ?? 0);
  return seconds > 0 ? Math.min(LONGEST_RETRY_AFTER_MS, seconds * 1_000) : 0;
}

/** Calls until the control plane lets the request through: too many requests are a reason to wait, never one to fail. */
export async function untilAllowed<Result>(
  call: () => Promise<Result>,
  signal: AbortSignal,
  { now = () => performance.now(), random = Math.random } = {},
): Promise<Result> {
  const startedAt = now();
  for (let refusals = 0; ; refusals++) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!isUploadError(error, 'RATE_LIMITED') || now() - startedAt > PATIENCE_MS) throw error;
      await sleep(Math.max(askedForMs(error), waitBefore(refusals, random())), signal);
    }
  }
}
