import type { MiddlewareHandler } from 'hono';

const ONE_YEAR_SECONDS = 31_536_000;

/**
 * Headers of every answer, including those that Node's HTTP server gives before there is a request. Answers are data for programs: a
 * browser must not run, frame, guess or keep anything of them. Some hold presigned URLs, so no cache may store any.
 */
export function securityHeaders({ tls }: { readonly tls: boolean }): Readonly<Record<string, string>> {
  return {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    // Not for subdomains, where other programs may run. Browsers ignore it without TLS (RFC 6797, section 8.1).
    ...(tls ? { 'strict-transport-security': `max-age=${ONE_YEAR_SECONDS}` } : {}),
  };
}

export function setSecurityHeaders(options: { readonly tls: boolean }): MiddlewareHandler {
  const headers = Object.entries(securityHeaders(options));
  return async function addSecurityHeaders(context, next) {
    await next();
    for (const [name, value] of headers) context.res.headers.set(name, value);
  };
}
