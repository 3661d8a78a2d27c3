import { RateLimiterMemory } from 'rate-limiter-flexible';
import { consumePoint } from './rate-limited.ts';

/** @throws UploadError `RATE_LIMITED` for a request too many under the key. */
export type LimitRequests = (key: string) => Promise<void>;

/** So many requests a second for each key, counted in windows of a second; null is no limit. */
export function createRequestLimit(perSecond: number | null): LimitRequests {
  if (perSecond === null) return async () => {};
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  const detail = `A token may send ${perSecond} requests a second.`;
  return (key) => consumePoint(limiter, key, detail, HINT);
}

const HINT = 'Wait, then go on. PARTWAY_RATE_LIMIT is the setting of the server.';
