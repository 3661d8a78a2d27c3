import type { Context, MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

const ONE_HOUR_SECONDS = 3_600;

/**
 * Lets pages of these origins call the API; `*` is any. Tokens travel only in the Authorization header, never in cookies, so
 * credentials are not allowed. A preflight carries no token, so it is answered here, before authentication.
 */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const answer = cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'POST', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Accept', 'X-Request-Id'],
    exposeHeaders: ['Retry-After', 'X-Request-Id', 'Date'],
    maxAge: ONE_HOUR_SECONDS,
  });
  return async function crossOrigin(context, next) {
    if (isOfPage(context)) return answer(context, next);
    // Before there is an answer: setting a header afterwards would copy the answer.
    if (!origins.includes('*')) context.header('vary', 'Origin');
    return next();
  };
}

/** Browsers mark requests of pages. Other clients do not read CORS headers, which would take most of an answer's time. */
function isOfPage({ req }: Context): boolean {
  if (req.header('origin') === undefined) return false;
  return req.method !== 'OPTIONS' || req.header('access-control-request-method') !== undefined;
}

/**
 * Reads a list of origins such as `https://app.example.com`, as browsers send them: without path or default port, in lower case, and without
 * `*`, which MinIO would read as a pattern and this API as a letter. @throws Error that names the item that is not an origin.
 */
export function parseOrigins(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  return names.filter((name) => name !== '').map(parseOrigin);
}

function parseOrigin(name: string): string {
  if (name === '*') return name;
  const { origin } = URL.canParse(name) ? new URL(name) : { origin: undefined };
  if (name === origin && /^https?:\/\/[^*]+$/.test(name)) return name;
  throw new Error(`"${name}" is not an origin, such as https://app.example.com`);
}
