import { getPath } from 'hono/utils/url';

const IN_PATH = /^\/c\/([^/]*)(\/.*)$/;

/** The path that routes match: without the capability before it, so that the log, too, is without. */
export function pathWithoutCapability(request: Request): string {
  const path = getPath(request);
  return IN_PATH.exec(path)?.[2] ?? path;
}

export function capabilityIn(request: Request): string | undefined {
  return IN_PATH.exec(getPath(request))?.[1];
}
