import { isUploadError, type UploadError } from '../../session/errors.ts';
import { type Link, waitBefore } from '../network/link.ts';
import { sleep } from '../network/sleep.ts';
import { askedForMs } from './rate-limit.ts';
import type { Refused } from './refusals.ts';

/** An unforeseen error of the server may be a passing one; after this many it is told. */
const INTERNAL_ERROR_TRIES = 3;

export interface OutageOptions {
  readonly link: Link;
  readonly signal: AbortSignal;
  readonly maxOutageMs: number;
  readonly now: () => number;
  readonly random: () => number;
  /** Of this call. */
  readonly refused: Refused;
  /** Errors that are told at once although they may pass; none where left out. */
  readonly endsAtOnce?: (error: UploadError) => boolean;
}

/**
 * Calls the control plane until it answers: while it is away, restarting, or says that the object store or its database is away.
 * Every call that the engine makes is safe to repeat.
 */
export async function throughOutages<Result>(call: () => Promise<Result>, options: OutageOptions): Promise<Result> {
  const { refused } = options;
  try {
    const result = await untilAnswered(call, options);
    refused.served();
    return result;
  } catch (error) {
    refused.givenUp();
    throw error;
  }
}

async function untilAnswered<Result>(call: () => Promise<Result>, options: OutageOptions): Promise<Result> {
  const { link, signal, now, random, refused, endsAtOnce = () => false } = options;
  const startedAt = now();
  let internalErrors = 0;
  for (let failures = 0; ; failures++) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (isUploadError(error, 'INTERNAL')) internalErrors += 1;
      if (!isPassing(error, internalErrors) || endsAtOnce(error) || now() - startedAt >= options.maxOutageMs) throw error;
      const isUnreachable = error.code === 'SERVER_UNREACHABLE';
      const reason = isUnreachable ? String(error.facts.reason ?? error.detail) : error.detail;
      const wasDown = isUnreachable && (await link.recover(reason, signal)).outageMs > 0;
      // The first repeat after the link came back is immediate.
      const repeatsAtOnce = isUnreachable && failures === 0;
      const waitMs = repeatsAtOnce ? 0 : Math.max(askedForMs(error), waitBefore(failures, random()));
      // Health checks are answered and the call is not: the link has told of no outage.
      if (error.code === 'STORE_UNAVAILABLE' || (isUnreachable && !wasDown)) refused.again(reason, waitMs);
      await sleep(waitMs, signal);
    }
  }
}

function isPassing(error: unknown, internalErrors: number): error is UploadError {
  if (isUploadError(error, 'SERVER_UNREACHABLE', 'STORE_UNAVAILABLE', 'SESSION_BUSY', 'RATE_LIMITED', 'REQUEST_TIMEOUT'))
    return true;
  return isUploadError(error, 'INTERNAL') && internalErrors < INTERNAL_ERROR_TRIES;
}
