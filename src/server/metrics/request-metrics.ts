import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import * as routes from '../../contract/routes.ts';
import { SERVICE_ERROR_CODES, type ServiceErrorCode } from '../../session/errors.ts';

/** From reading one session to a Complete that takes the store minutes. 20 ms is the target for presigning and reporting. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5, 30, 120];
/** One label for all requests that are not operations (a scanner's paths, preflights), so that clients cannot create series. */
const NO_OPERATION = 'none';

export type RequestMetrics = ReturnType<typeof createRequestMetrics>;

export function createRequestMetrics(registry: Registry) {
  const registers = [registry];
  const requests = new Counter({
    name: 'partway_requests_total',
    help: 'Requests that the API answered, by operation of the contract and HTTP status.',
    labelNames: ['operation', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'partway_request_duration_seconds',
    help: 'Time until the answer began, by operation. A live stream begins at once.',
    labelNames: ['operation'],
    buckets: SECONDS,
    registers,
  });
  const problems = new Counter({
    name: 'partway_problems_total',
    help: 'Problem documents sent, by code: refusals, failed authentications (UNAUTHORIZED), rate limits (RATE_LIMITED), failures.',
    labelNames: ['code'],
    registers,
  });
  const streams = new Gauge({ name: 'partway_progress_streams', help: 'Live streams of progress that are open.', registers });
  // Every series starts at 0, because Prometheus computes no rate for the first value of a series.
  for (const code of SERVICE_ERROR_CODES) problems.inc({ code }, 0);

  return {
    /** @param route The pattern that the router matched. */
    answered(method: string, route: string, status: number, ms: number): void {
      const operation = OPERATIONS.get(`${method} ${route}`) ?? NO_OPERATION;
      requests.inc({ operation, status });
      seconds.observe({ operation }, ms / 1_000);
    },
    refused(code: ServiceErrorCode): void {
      problems.inc({ code });
    },
    /** Counts an open stream. Call the returned function when it has ended. */
    streamOpened(): () => void {
      streams.inc();
      return () => streams.dec();
    },
  };
}

/** Maps method and pattern, as the router has them (`GET /api/uploads/:sessionId`), to the operation (`getUpload`). */
const OPERATIONS: ReadonlyMap<string, string> = new Map(
  Object.values(routes).map(({ method, path, operationId }) => [
    `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`,
    operationId,
  ]),
);
