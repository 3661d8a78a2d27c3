/** What the object store answered to a part's PUT, as far as the engine needs it. */
export interface PartAnswer {
  readonly status: number;
  /** S3's error code from the XML body; undefined for 2xx and for answers that are not S3's. */
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly etag: string | undefined;
  readonly retryAfterSeconds: number | undefined;
}

export type Verdict =
  | { readonly kind: 'stored'; readonly etag: string }
  /** The URL no longer (or not yet) counts: sign again. Costs no try. */
  | { readonly kind: 'sign-again' }
  /** The store wants to be asked later. Costs no try. */
  | { readonly kind: 'busy'; readonly retryAfterSeconds: number | undefined }
  /** The store does not know the multipart upload: completed, aborted, swept or lost. The control plane knows which. */
  | { readonly kind: 'upload-lost' }
  /** The bytes that arrived are not those that were signed. Costs a try; twice means that the file changed. */
  | { readonly kind: 'bytes-differ' }
  /** Somebody on the way answered in the store's place (a hotel's sign-in page): an outage. */
  | { readonly kind: 'not-the-store' }
  /** Something went wrong with this part over a working link. Costs a try. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'store-full' }
  /** Sending it again cannot help. */
  | { readonly kind: 'refused' };

const BYTES_DIFFER = new Set(['XAmzContentChecksumMismatch', 'BadDigest', 'XAmzContentSHA256Mismatch']);
const STORE_FULL = new Set(['XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded']);
/** Framing that broke on the way, not a decision about the part. */
const CUT_SHORT = new Set(['IncompleteBody', 'RequestTimeout', 'ClientDisconnected']);

/** What a client may conclude from the answer to a part's PUT: the table of measured answers, as a pure function. */
export function judgeAnswer({ status, code, message = '', etag, retryAfterSeconds }: PartAnswer): Verdict {
  if (status === 200) return etag === undefined ? { kind: 'not-the-store' } : { kind: 'stored', etag };
  if (code !== undefined && BYTES_DIFFER.has(code)) return { kind: 'bytes-differ' };
  if ((code !== undefined && STORE_FULL.has(code)) || status === 507 || /no space left on device/i.test(message))
    return { kind: 'store-full' };
  if (code === 'NoSuchUpload') return { kind: 'upload-lost' };
  if (status === 429 || status === 503 || status === 502 || status === 504 || status === 499)
    return { kind: 'busy', retryAfterSeconds };
  if (code !== undefined && CUT_SHORT.has(code)) return { kind: 'busy', retryAfterSeconds };
  // Stores redirect with a code of theirs; 511 is what sign-in pages should say (RFC 6585).
  if (status === 511 || (status < 400 && code === undefined)) return { kind: 'not-the-store' };
  // MinIO has one code for an expired URL and for a missing right, and texts may change: any 403 is worth one new URL.
  if (status === 403) return { kind: 'sign-again' };
  if (status >= 500 || status === 408) return { kind: 'failed' };
  return { kind: 'refused' };
}

/** `<Error><Code>…</Code><Message>…</Message>…`: two flat fields with XML entities, so no parser is needed. */
export function readS3Error(body: string): { code: string | undefined; message: string | undefined } {
  return { code: field(body, 'Code'), message: field(body, 'Message') };
}

function field(body: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1];
  return text?.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/gi, (entity, decimal, hexadecimal, named) => {
    if (named !== undefined) return NAMED_ENTITIES[named] ?? entity;
    const codePoint = decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal);
    return codePoint <= MAX_CODE_POINT ? String.fromCodePoint(codePoint) : entity;
  });
}

const MAX_CODE_POINT = 0x10ffff;
const NAMED_ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
