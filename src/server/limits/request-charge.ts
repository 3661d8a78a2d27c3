import type { Context } from 'hono';
import { costOfBody } from './request-cost.ts';
import type { LimitRequests } from './request-limit.ts';

/** Charges a request in three steps, each as soon as its cost is known. Each step throws `RATE_LIMITED` where points are missing. */
export interface RequestCharge {
  /** First, after authentication and before the body is read: one point. */
  arrival(context: Context): Promise<void>;
  /** Second, when the body has arrived whole and before it is parsed: by its size. */
  body(context: Context, bytes: number): Promise<void>;
  /** Third, after validation and before the service is called: by the work that is asked for (`costOf…`). */
  work(context: Context, points: number): Promise<void>;
}

export function createRequestCharge(limitRequests: LimitRequests, keyOf: (context: Context) => string): RequestCharge {
  return {
    arrival: (context) => limitRequests(keyOf(context)),
    body: (context, bytes) => limitRequests(keyOf(context), costOfBody(bytes)),
    work: (context, points) => limitRequests(keyOf(context), points),
  };
}
