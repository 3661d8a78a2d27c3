import type { Log } from './deps.ts';

/** The same log, with the request's id in every line: what a problem gives as `instance` finds all that was written about it. */
export function logOfRequest(log: Log, requestId: string): Log {
  return {
    info: (fields, message) => log.info({ requestId, ...fields }, message),
    warn: (fields, message) => log.warn({ requestId, ...fields }, message),
    error: (fields, message) => log.error({ requestId, ...fields }, message),
  };
}
