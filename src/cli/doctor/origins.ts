import type * as wire from '../../contract/wire.ts';
import type { MakeAgent } from '../../outbound/direct-agent.ts';
import { type Finding, info, ok, warn } from './finding.ts';
import { exchange } from './http-exchange.ts';

const CHECK = 'CORS (for browsers)';
/** RFC 2606 reserves `.invalid`: no host has this name. */
const FOREIGN_ORIGIN = 'https://partway-doctor.invalid';
const MOST_ORIGINS = 10;

/** Origins whose pages should be able to send parts, according to the server. */
export interface PageOrigins {
  /** URL by which this client reaches the server. */
  readonly server: string;
  /** The server's PARTWAY_CORS_ORIGINS; empty for an older server, which does not report it. */
  readonly configured: readonly string[];
}

export interface PreflightResult {
  readonly origin: string;
  readonly allowed: boolean;
}

/** Asks the store, by the preflight requests of browsers, which origins' pages may send this part. */
export async function checkOrigins(part: wire.PresignedPart, origins: PageOrigins, makeAgent: MakeAgent): Promise<Finding[]> {
  const named = namedOrigins(origins);
  try {
    const results = await Promise.all([FOREIGN_ORIGIN, ...named].map((origin) => preflight(part, origin, makeAgent)));
    return judgeOrigins(origins, results);
  } catch (error) {
    return [info(CHECK, `not answered: ${(error as Error).message}`, 'Only uploads from web pages need an answer.')];
  }
}

async function preflight({ url, headers }: wire.PresignedPart, origin: string, makeAgent: MakeAgent): Promise<PreflightResult> {
  const requested = {
    origin,
    'access-control-request-method': 'PUT',
    'access-control-request-headers': Object.keys(headers).join(','),
  };
  const answer = await exchange(url, { makeAgent, method: 'OPTIONS', headers: requested });
  const allowed = answer.headers['access-control-allow-origin'];
  return { origin, allowed: allowed === origin || allowed === '*' };
}

export function judgeOrigins(origins: PageOrigins, results: readonly PreflightResult[]): Finding[] {
  const named = namedOrigins(origins);
  const missing = results.filter(({ origin, allowed }) => !allowed && origin !== FOREIGN_ORIGIN).map(({ origin }) => origin);
  const findings: Finding[] = [];
  if (results.some(({ origin, allowed }) => allowed && origin === FOREIGN_ORIGIN)) {
    const detail = `any page that a browser shows may send requests to the store (${FOREIGN_ORIGIN} was allowed)`;
    findings.push(warn(CHECK, detail, origins.configured.includes('*') ? ADVICE_FOR_ANY : adviceFor(named)));
  }
  for (const origin of missing) {
    const detail = `pages of ${origin} may not send parts to the store`;
    // partway itself serves no page yet, so the server's own origin matters only if someone serves a page there.
    const judge = origins.configured.includes(origin) ? warn : info;
    findings.push(judge(CHECK, detail, adviceFor(named)));
  }
  return findings.length > 0 ? findings : [ok(CHECK, `pages of ${named.join(', ')} may send parts to the store, others may not`)];
}

const ADVICE_FOR_ANY =
  'Whoever runs the server: name the origins of your pages in PARTWAY_CORS_ORIGINS instead of *, and at MinIO in MINIO_API_CORS_ALLOW_ORIGIN.';

function adviceFor(named: readonly string[]): string {
  return `Whoever runs the store: start MinIO with MINIO_API_CORS_ALLOW_ORIGIN=${named.join(',')} (compose.yaml makes it of PARTWAY_PUBLIC_ORIGIN and PARTWAY_CORS_ORIGINS in .env). Elsewhere: a CORS rule for these origins with PUT and ExposeHeaders ETag.`;
}

/** Lists the origins, the server's own first. Skips text that is no origin: it would be printed on a terminal and sent in a header. */
function namedOrigins({ server, configured }: PageOrigins): string[] {
  const origins = [new URL(server).origin, ...configured.filter(isOrigin)];
  return [...new Set(origins)].slice(0, MOST_ORIGINS);
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:\/\/[^*]+$/.test(text) && new URL(text).origin === text;
}
