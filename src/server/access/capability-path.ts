import { getPath } from 'hono/utils/url';

const CAPABILITY_BEFORE_PATH = /^\/c\/[^/]*/;
/** No path of the API holds a token, but a client that builds its URLs wrongly may put one anywhere. */
const TOKEN_IN_PATH = /pwc?_[\w-]{8,}/g;

/** Returns the path that routes match and that logs and answers may show: without the capability before it, or any token in it. */
export function pathWithoutTokens(request: Request): string {
  const path = getPath(request).replace(CAPABILITY_BEFORE_PATH, '');
  return path === '' ? '/' : path.replaceAll(TOKEN_IN_PATH, 'TOKEN');
}

export function capabilityIn(request: Request): string | undefined {
  return /^\/c\/([^/]*)/.exec(getPath(request))?.[1];
}
