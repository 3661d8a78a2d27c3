import { RateLimiterMemory } from 'rate-limiter-flexible';
import { limitKey } from './client-address.ts';
import { consumePoints } from './rate-limited.ts';

/**
 * @param points Cost of the request beyond its first point; if left out, that first point itself.
 * @throws UploadError `RATE_LIMITED` where the key has too few points left.
 */
export type LimitRequests = (key: string, points?: number) => Promise<void>;

/** A request is charged twice more, for its body and for its work. It must be able to pass a low limit, too. */
const MOST_OF_THE_LIMIT = 1 / 3;

/** Gives each key `perSecond` points, counted in windows of a second; null is no limit. */
export function createRequestLimit(perSecond: number | null): LimitRequests {
  if (perSecond === null) return async () => {};
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  const most = Math.floor(perSecond * MOST_OF_THE_LIMIT);
  const refusal = {
    detail: `A token may send ${perSecond} requests a second; large requests count as several.`,
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

/** No honest client asks more often without a token: a container's health check asks once in a few seconds. */
const ANONYMOUS_PER_SECOND = 50;

/** Limits requests that need no token. @param isExempt Says which addresses are never refused: those of balancers and of this host. */
export function createAddressLimit(isExempt: (address: string) => boolean, perSecond = ANONYMOUS_PER_SECOND): LimitAddress {
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  const refusal = { detail: `An address may send ${perSecond} requests a second that need no token.`, hint: 'Ask less often.' };
  return async function limitAddress(address) {
    if (!isExempt(address)) await consumePoints(limiter, limitKey(address), 1, refusal);
  };
}
