import { createHmac, randomBytes } from 'node:crypto';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { isUploadError } from '../../session/errors.ts';
import { limitKey } from './client-address.ts';
import { consumePoints } from './rate-limited.ts';
import { createRecentSet } from './recent-set.ts';

export interface FailureLimits {
  /** Failures that an address may have in a window; 10 unless told. */
  readonly failures?: number;
  /** Seconds; 60 unless told. */
  readonly windowSeconds?: number;
  /** Pairs of address and token that are known to work, and addresses that failed; 10,000 of each unless told. */
  readonly remembered?: number;
}

/** @throws UploadError `UNAUTHORIZED`, `RATE_LIMITED`. */
export type GuardedAuthenticate<Credentials, Caller> = (credentials: Credentials, address: string) => Promise<Caller>;

/**
 * Authentication for an address that has failures left. One that has none is refused before its token is looked at, so that
 * guessing learns nothing; not so with a token that worked from there before: the upload of a colleague behind the same NAT goes on.
 */
export function guardAuthentication<Credentials, Caller>(
  authenticate: (credentials: Credentials) => Promise<Caller>,
  { failures = 10, windowSeconds = 60, remembered = 10_000 }: FailureLimits = {},
): GuardedAuthenticate<Credentials, Caller> {
  const limiter = new RateLimiterMemory({ points: failures, duration: windowSeconds });
  // An address that is forgotten starts anew. Who has so many of them gains nothing by it.
  const failing = createRecentSet(remembered, (key) => void limiter.delete(key));
  const working = createRecentSet(remembered);
  const running = new Map<string, Promise<Caller>>();
  // Tokens are kept as digests, under a key that nobody can have prepared any for.
  const digestKey = randomBytes(32);
  const digest = (credentials: Credentials) =>
    createHmac('sha256', digestKey)
      .update(JSON.stringify([credentials]))
      .digest('base64');

  /** The point is taken first and given back for a success: guesses that come all at once find no gap between check and count. */
  async function authenticateNew(credentials: Credentials, key: string): Promise<Caller> {
    failing.add(key);
    await consumePoints(limiter, key, 1, TOO_MANY_FAILURES);
    try {
      const caller = await authenticate(credentials);
      await limiter.reward(key);
      return caller;
    } catch (error) {
      if (!isUploadError(error, 'UNAUTHORIZED')) await limiter.reward(key);
      throw error;
    }
  }

  async function authenticateKnown(credentials: Credentials, key: string, pair: string): Promise<Caller> {
    try {
      return await authenticate(credentials);
    } catch (error) {
      // Revoked or expired since.
      if (isUploadError(error, 'UNAUTHORIZED') && working.delete(pair)) {
        failing.add(key);
        await limiter.penalty(key);
      }
      throw error;
    }
  }

  return async function authenticateGuarded(credentials, address) {
    const key = limitKey(address);
    const pair = `${key} ${digest(credentials)}`;
    if (working.has(pair)) {
      working.add(pair);
      return authenticateKnown(credentials, key, pair);
    }
    const first = running.get(pair);
    // A client that begins with many requests at once has one guess, not many.
    if (first !== undefined) return first;
    const authenticating = authenticateNew(credentials, key).finally(() => running.delete(pair));
    running.set(pair, authenticating);
    const caller = await authenticating;
    working.add(pair);
    return caller;
  };
}

const TOO_MANY_FAILURES = {
  detail: 'Too many requests from this address had no valid token.',
  hint: 'Check the token (PARTWAY_TOKEN) before asking again.',
};
