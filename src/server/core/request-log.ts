import type { Log } from './deps.ts';

/** Adds the request's id to every line of a log: the `instance` of a problem document then finds every line about that request. */
export function logOfRequest(log: Log, requestId: string): Log {
  return {
    info: (fields, message) => log.info({ requestId, ...fields }, message),
    warn: (fields, message) => log.warn({ requestId, ...fields }, message),
    error: (fields, message) => log.error({ requestId, ...fields }, message),
  };
}
