import { type RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { UploadError } from '../../session/errors.ts';

/** Uses up points of the key. @throws UploadError `RATE_LIMITED` if there are too few, which says when there are points again. */
export async function consumePoints(
  limiter: RateLimiterMemory,
  key: string,
  points: number,
  { detail, hint }: { readonly detail: string; readonly hint: string },
): Promise<void> {
  try {
    await limiter.consume(key, points);
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    // Whole seconds, as the header has them, and never 0: the client would be back too early.
    const retryAfterSeconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1_000));
    throw new UploadError('RATE_LIMITED', detail, { hint, facts: { retryAfterSeconds } });
  }
}
