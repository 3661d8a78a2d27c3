import { isUploadError, type UploadError } from '../../session/errors.ts';
import { type Link, waitBefore } from '../network/link.ts';
import { sleep } from '../network/sleep.ts';
import type { Refused } from './refusals.ts';

/** How long a command waits for an end that is away, unless told otherwise. */
export const DEFAULT_MAX_OUTAGE_MS = 24 * 60 * 60_000;
/** Longer than this, and an end that says "later" is asked anyway. A partway server says a minute at most. */
const LONGEST_RETRY_AFTER_MS = 60_000;
/** As long as a busy server, or a neighbour at the same address without a valid token, may keep a command from beginning. */
const RATE_LIMIT_PATIENCE_MS = 10 * 60_000;
/** An unforeseen error of the server may be a passing one; after this many it ends the call. */
const INTERNAL_ERROR_TRIES = 3;

/** How long a `Retry-After` is obeyed, in milliseconds; 0 where there is none. */
export function retryAfterMs(seconds: number | undefined): number {
  return seconds !== undefined && seconds > 0 ? Math.min(LONGEST_RETRY_AFTER_MS, seconds * 1_000) : 0;
}

/** How long the server asked to wait, in milliseconds; 0 where it did not say. */
export function askedForMs({ facts }: UploadError): number {
  return retryAfterMs(Number(facts.retryAfterSeconds ?? 0));
}

export interface RetryOptions {
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly random: () => number;
}

interface RetryRules extends RetryOptions {
  /** The call is not repeated once it has taken this long. */
  readonly patienceMs: number;
  readonly mayPass: (error: unknown) => error is UploadError;
  /** How long to wait before the next attempt. May wait by itself, for the end of an outage. */
  readonly waitMs: (error: UploadError, failures: number) => Promise<number> | number;
}

/** Repeats a call while its errors may pass. @throws the error that does not, or the latest one when patience is over; the signal's reason */
async function retry<Result>(call: () => Promise<Result>, rules: RetryRules): Promise<Result> {
  const { signal, now } = rules;
  const startedAt = now();
  for (let failures = 0; ; failures++) {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!rules.mayPass(error) || now() - startedAt >= rules.patienceMs) throw error;
      await sleep(await rules.waitMs(error, failures), signal);
    }
  }
}

/** Calls until the control plane lets the request through: too many requests are a reason to wait, never one to fail. */
export function untilAllowed<Result>(
  call: () => Promise<Result>,
  signal: AbortSignal,
  { now = () => performance.now(), random = Math.random } = {},
): Promise<Result> {
  return retry(call, {
    signal,
    now,
    random,
    patienceMs: RATE_LIMIT_PATIENCE_MS,
    mayPass: (error) => isUploadError(error, 'RATE_LIMITED'),
    waitMs: (error, failures) => Math.max(askedForMs(error), waitBefore(failures, random())),
  });
}

export interface OutageOptions extends RetryOptions {
  readonly link: Link;
  readonly maxOutageMs: number;
  /** Reports the refusals of this call. */
  readonly refused: Refused;
  /** Errors that end the call although they may pass; none by default. */
  readonly endsAtOnce?: (error: UploadError) => boolean;
}

/**
 * Calls the control plane until it answers: while it is away, restarting, or says that the object store or its database is away.
 * Every call that the engine makes is safe to repeat.
 */
export async function throughOutages<Result>(call: () => Promise<Result>, options: OutageOptions): Promise<Result> {
  const { refused, endsAtOnce = () => false } = options;
  let internalErrors = 0;
  const mayPass = (error: unknown): error is UploadError => {
    if (isUploadError(error, 'INTERNAL')) internalErrors += 1;
    return isPassing(error, internalErrors) && !endsAtOnce(error);
  };
  const waitMs = (error: UploadError, failures: number) => waitThroughOutage(error, failures, options);
  try {
    const result = await retry(call, { ...options, patienceMs: options.maxOutageMs, mayPass, waitMs });
    refused.served();
    return result;
  } catch (error) {
    refused.givenUp();
    throw error;
  }
}

async function waitThroughOutage(error: UploadError, failures: number, options: OutageOptions): Promise<number> {
  const { link, signal, random, refused } = options;
  const isUnreachable = error.code === 'SERVER_UNREACHABLE';
  const reason = isUnreachable ? String(error.facts.reason ?? error.detail) : error.detail;
  const wasDown = isUnreachable && (await link.recover(reason, signal)).outageMs > 0;
  // The first repeat after the link came back is immediate.
  const repeatsAtOnce = isUnreachable && failures === 0;
  const waitMs = repeatsAtOnce ? 0 : Math.max(askedForMs(error), waitBefore(failures, random()));
  // Health checks are answered and the call is not, so the link has reported no outage.
  if (error.code === 'STORE_UNAVAILABLE' || (isUnreachable && !wasDown)) refused.again(reason, waitMs);
  return waitMs;
}

function isPassing(error: unknown, internalErrors: number): error is UploadError {
  if (isUploadError(error, 'SERVER_UNREACHABLE', 'STORE_UNAVAILABLE', 'SESSION_BUSY', 'RATE_LIMITED', 'REQUEST_TIMEOUT'))
    return true;
  return isUploadError(error, 'INTERNAL') && internalErrors < INTERNAL_ERROR_TRIES;
}
