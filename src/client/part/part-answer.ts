import { escapeInvisible } from '../../text/visible-text.ts';

/** The answer to a part's PUT, as far as the engine needs it. It may come from the object store or from something in between. */
export interface PartAnswer {
  readonly status: number;
  /** S3's error code from the XML body; undefined for 2xx and for answers that are not S3's. */
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly etag: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly contentType?: string | undefined;
  /** The `Server` header: proxies name themselves there. */
  readonly server?: string | undefined;
  readonly location?: string | undefined;
}

export type Verdict =
  | { readonly kind: 'stored'; readonly etag: string }
  /** The URL is no longer (or not yet) valid: sign again. Costs no try. */
  | { readonly kind: 'sign-again' }
  /** The store wants to be asked later. Costs no try. */
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number | undefined }
  /** The store does not know the multipart upload: it was completed, aborted, swept or lost. The control plane knows which. */
  | { readonly kind: 'upload-lost' }
  /** The bytes that arrived are not those that were signed. Costs a try; twice means that the file changed. */
  | { readonly kind: 'bytes-differ' }
  /** Something on the way answered in the store's place (a proxy, a sign-in page), or changed the store's answer: an outage. */
  | { readonly kind: 'not-the-store'; readonly retryAfterSeconds: number | undefined }
  /** Something on the way accepts no body of that size. Smaller parts may get through. */
  | { readonly kind: 'too-large' }
  /** This part failed over a working link. Costs a try. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'store-full' }
  /** Sending it again cannot help. */
  | { readonly kind: 'refused' };

const BYTES_DIFFER = new Set(['XAmzContentChecksumMismatch', 'BadDigest', 'XAmzContentSHA256Mismatch']);
const STORE_FULL = new Set(['XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded']);
/** Codes for framing that broke on the way, not for a decision about the part. */
const CUT_SHORT = new Set(['IncompleteBody', 'RequestTimeout', 'ClientDisconnected']);

/** Judges the answer to a part's PUT: the table of measured answers as a pure function. */
export function judgeAnswer(answer: PartAnswer): Verdict {
  const { status, code, message = '', etag, retryAfterSeconds } = answer;
  if (status === 200 && etag !== undefined) return { kind: 'stored', etag };
  if (isFromProxy(answer)) return { kind: 'not-the-store', retryAfterSeconds };
  if (code !== undefined && BYTES_DIFFER.has(code)) return { kind: 'bytes-differ' };
  if ((code !== undefined && STORE_FULL.has(code)) || status === 507 || /no space left on device/i.test(message))
    return { kind: 'store-full' };
  if (code === 'NoSuchUpload') return { kind: 'upload-lost' };
  if (status === 429 || status === 503 || status === 502 || status === 504 || status === 499)
    return { kind: 'busy', retryAfterSeconds };
  if (code !== undefined && CUT_SHORT.has(code)) return { kind: 'busy', retryAfterSeconds };
  if (status === 413 && code === undefined) return { kind: 'too-large' };
  // MinIO has one code for an expired URL and for a missing right, and its texts may change: any 403 is worth one new URL.
  if (status === 403) return { kind: 'sign-again' };
  if (status >= 500 || status === 408) return { kind: 'failed' };
  return { kind: 'refused' };
}

/** Proxies answer 408, 502, 503 and 504 for a store that they do not reach or wait for; 511 is for sign-in pages (RFC 6585). */
const PROXY_STATUSES = new Set([408, 499, 502, 503, 504, 511]);
/** Content delivery networks number their own failures from here, beyond what HTTP defines. */
const FIRST_CDN_STATUS = 520;

/**
 * Whether an answer comes from a proxy and says nothing definite about the part. The store's errors carry a code in XML, redirects
 * included; a page comes from something else. A 4xx page is definite, and judged like other refusals.
 */
function isFromProxy({ status, code, contentType = '' }: PartAnswer): boolean {
  if (code !== undefined) return false;
  if (status < 400 || status >= FIRST_CDN_STATUS || PROXY_STATUSES.has(status)) return true;
  return status >= 500 && status !== 507 && /html/i.test(contentType);
}

/** Whether something other than the store refuses. The store itself says why. */
export function isRefusedOnTheWay({ status, code }: PartAnswer): boolean {
  return code === undefined && status >= 400;
}

const LONGEST_QUOTE = 200;

/** Describes an answer to people in one line that no terminal obeys. A redirect's target is cut to its origin: it may repeat the signature. */
export function describeAnswer({ status, code, message, etag, contentType, server, location }: PartAnswer): string {
  if (code !== undefined) return quoted(`HTTP ${status} ${code}${message ? `: ${message}` : ''}`);
  if (status === 200 && etag === undefined && !/html/i.test(contentType ?? '')) return 'HTTP 200 without an ETag';
  const target = location !== undefined && URL.canParse(location) ? ` to ${new URL(location).origin}` : '';
  const details = [contentType?.split(';')[0], server].filter((detail) => detail !== undefined && detail !== '');
  return quoted(`HTTP ${status}${target}${details.length === 0 ? '' : ` (${details.join(', ')})`}`);
}

function quoted(text: string): string {
  return escapeInvisible(text.slice(0, LONGEST_QUOTE));
}
