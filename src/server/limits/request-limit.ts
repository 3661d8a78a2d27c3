import { RateLimiterMemory } from 'rate-limiter-flexible';
import { limitKey } from './client-address.ts';
import { consumePoints } from './rate-limited.ts';

/**
 * @param points What the request costs beyond its first point; left out: that first one.
 * @throws UploadError `RATE_LIMITED` for what is too much under the key.
 */
export type LimitRequests = (key: string, points?: number) => Promise<void>;

/** A request is weighed twice, by its body and by what it asks for: it must pass a limit that is low, too. */
const MOST_OF_THE_LIMIT = 1 / 3;

/** So many points a second for each key, counted in windows of a second; null is no limit. */
export function createRequestLimit(perSecond: number | null): LimitRequests {
  if (perSecond === null) return async () => {};
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  const most = Math.floor(perSecond * MOST_OF_THE_LIMIT);
  const refusal = {
    detail: `A token may send ${perSecond} requests a second, of which large ones count as several.`,
    hint: HINT,
  };
  return async function limitRequests(key, points) {
    const consumed = points === undefined ? 1 : Math.min(most, Math.floor(points));
    if (consumed > 0) await consumePoints(limiter, key, consumed, refusal);
  };
}

const HINT = 'Wait, then go on. PARTWAY_RATE_LIMIT is the setting of the server.';

/** @throws UploadError `RATE_LIMITED` */
export type LimitAddress = (address: string) => Promise<void>;

/** Nobody who means well asks as often what needs no token; a container's healthcheck asks once in seconds. */
const ANONYMOUS_PER_SECOND = 50;

/** For what anybody may ask. @param isExempt For whoever must never be told that the server is busy: balancers, this machine. */
export function createAddressLimit(isExempt: (address: string) => boolean, perSecond = ANONYMOUS_PER_SECOND): LimitAddress {
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  const refusal = { detail: `An address may send ${perSecond} requests a second that need no token.`, hint: 'Ask less often.' };
  return async function limitAddress(address) {
    if (!isExempt(address)) await consumePoints(limiter, limitKey(address), 1, refusal);
  };
}
