import { RateLimiterMemory } from 'rate-limiter-flexible';
import { isUploadError } from '../../session/errors.ts';
import { limitKey } from './client-address.ts';
import { consumePoints } from './rate-limited.ts';
import { createRecentSet } from './recent-set.ts';

export interface FailureLimits {
  /** Failures of an address that are answered 401 in a window; 10 by default. */
  readonly failures?: number;
  /** Failures of all addresses together; 1,000 by default. */
  readonly inAll?: number;
  /** 60 by default. */
  readonly windowSeconds?: number;
  /** Number of addresses whose failures are counted; 10,000 by default. */
  readonly remembered?: number;
}

/** @throws UploadError `UNAUTHORIZED`, `RATE_LIMITED`. */
export type GuardedAuthenticate<Credentials, Caller> = (credentials: Credentials, address: string) => Promise<Caller>;

/**
 * Limits failed authentications, for each address and in all. Every token is checked first, so a valid token is let in whatever else its
 * address sends: other clients behind the same NAT may send wrong tokens. This does not help guessing, because tokens are too long to guess.
 */
export function guardAuthentication<Credentials, Caller>(
  authenticate: (credentials: Credentials) => Promise<Caller>,
  { failures = 10, inAll = 1_000, windowSeconds = 60, remembered = 10_000 }: FailureLimits = {},
): GuardedAuthenticate<Credentials, Caller> {
  const ofAddress = new RateLimiterMemory({ points: failures, duration: windowSeconds });
  const ofAll = new RateLimiterMemory({ points: inAll, duration: windowSeconds });
  // An address that was dropped starts over, which does not help a client with so many addresses.
  const failing = createRecentSet(remembered, (key) => void ofAddress.delete(key));

  async function countFailure(address: string): Promise<void> {
    const key = limitKey(address);
    failing.add(key);
    await consumePoints(ofAddress, key, 1, OF_ADDRESS);
    // After the address, so that one address cannot use up the points of all.
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
