import { RateLimiterMemory } from 'rate-limiter-flexible';
import { isUploadError } from '../../session/errors.ts';
import { limitKey } from './client-address.ts';
import { consumePoints } from './rate-limited.ts';
import { createRecentSet } from './recent-set.ts';

export interface FailureLimits {
  /** Failures of an address that are answered 401 in a window; 10 unless told. */
  readonly failures?: number;
  /** Failures of all addresses together; 1,000 unless told. */
  readonly inAll?: number;
  /** Seconds; 60 unless told. */
  readonly windowSeconds?: number;
  /** Addresses whose failures are counted; 10,000 unless told. */
  readonly remembered?: number;
}

/** @throws UploadError `UNAUTHORIZED`, `RATE_LIMITED`. */
export type GuardedAuthenticate<Credentials, Caller> = (credentials: Credentials, address: string) => Promise<Caller>;

/**
 * Limits failed authentications, for each address and in all. Every token is looked at first, so a valid one is let in whatever else comes
 * from its address: others behind the same NAT may send wrong ones. Guesses gain nothing by it: tokens are too long to be guessed.
 */
export function guardAuthentication<Credentials, Caller>(
  authenticate: (credentials: Credentials) => Promise<Caller>,
  { failures = 10, inAll = 1_000, windowSeconds = 60, remembered = 10_000 }: FailureLimits = {},
): GuardedAuthenticate<Credentials, Caller> {
  const ofAddress = new RateLimiterMemory({ points: failures, duration: windowSeconds });
  const ofAll = new RateLimiterMemory({ points: inAll, duration: windowSeconds });
  // An address that was dropped starts over. A client with so many addresses gains nothing by that.
  const failing = createRecentSet(remembered, (key) => void ofAddress.delete(key));

  async function countFailure(address: string): Promise<void> {
    const key = limitKey(address);
    failing.add(key);
    await consumePoints(ofAddress, key, 1, OF_ADDRESS);
    // After the address, so that one address cannot use up what all have.
    await consumePoints(ofAll, 'all', 1, OF_ALL);
  }

  return async function authenticateGuarded(credentials, address) {
    try {
      return await authenticate(credentials);
    } catch (error) {
      if (isUploadError(error, 'UNAUTHORIZED')) await countFailure(address);
      throw error;
    }
  };
}

const HINT = 'Check the token (PARTWAY_TOKEN) before asking again: a valid one is let in at any time.';
const OF_ADDRESS = { detail: 'Too many requests from this address had no valid token, and neither has this one.', hint: HINT };
const OF_ALL = { detail: 'Too many requests from all addresses had no valid token, and neither has this one.', hint: HINT };
