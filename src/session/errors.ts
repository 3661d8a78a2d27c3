/** Codes that the control plane answers; contract/problems.ts gives each its HTTP status. Stable: programs branch on them. */
export const SERVICE_ERROR_CODES = [
  'INVALID_REQUEST',
  'INVALID_KEY',
  'INVALID_PLAN',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'KEY_NOT_ALLOWED',
  'CONTENT_TYPE_NOT_ALLOWED',
  'OBJECT_TOO_LARGE',
  'QUOTA_EXCEEDED',
  'TOO_MANY_SESSIONS',
  'TOO_MANY_CAPABILITIES',
  'ROUTE_NOT_FOUND',
  'SESSION_NOT_FOUND',
  'OBJECT_NOT_FOUND',
  'OBJECT_EXISTS',
  'KEY_CONFLICT',
  'SESSION_NOT_OPEN',
  'SESSION_BUSY',
  'SESSION_PLAN_DIFFERS',
  'SESSION_ATTRIBUTES_DIFFER',
  'IDEMPOTENCY_KEY_REUSED',
  'PARTS_MISSING',
  'PARTS_LOST',
  'CHECKSUM_MISMATCH',
  'CLIENT_REPLACED',
  'BODY_TOO_LARGE',
  'HEADERS_TOO_LARGE',
  'REQUEST_TIMEOUT',
  'RATE_LIMITED',
  'BUCKET_NOT_FOUND',
  'STORE_REFUSED',
  'STORE_FULL',
  'STORE_UNAVAILABLE',
  /** The object store takes writes that nothing signed; no upload begins there. */
  'STORE_OPEN_TO_FORGERY',
  /** `/readyz` of a server that was told to stop; requests under way are answered as ever. */
  'STOPPING',
  'INTERNAL',
] as const;
export type ServiceErrorCode = (typeof SERVICE_ERROR_CODES)[number];

/** Codes that only the client side can find out. */
export const CLIENT_ERROR_CODES = [
  /** The control plane cannot be reached, or something before it answered instead. */
  'SERVER_UNREACHABLE',
  /** The certificate of the control plane or of the object store is refused here, and that end has never answered in this run. */
  'CERTIFICATE_NOT_TRUSTED',
  /** The control plane or the object store would be reached through a proxy of a kind that partway cannot use. */
  'PROXY_NOT_USABLE',
  /** The control plane answered, and with something that cannot be: a plan of 0 bytes, a trillion parts, a list without an end. */
  'INVALID_ANSWER',
  'SOURCE_NOT_FOUND',
  'SOURCE_UNREADABLE',
  'SOURCE_CHANGED',
  /** Larger than any object can be. */
  'SOURCE_TOO_LARGE',
  /** The object store definitely refuses a part; sending it again does not help. */
  'PART_REFUSED',
  /** A part failed as often as it may over a working link. */
  'PART_FAILED',
  /** The object store lacks what an upload is proven by, such as the checksums of parts. */
  'STORE_UNSUITABLE',
  'OUTAGE_TOO_LONG',
  'VERIFY_MISMATCH',
  /** The server says of the finished object something else than this client sent or read. */
  'RESULT_MISMATCH',
  /** Nobody on this machine uploads the session that was to be paused, continued or limited. */
  'CLIENT_NOT_FOUND',
  'INTERRUPTED',
  'TOKEN_NAME_TAKEN',
  /** Another valid token goes on with the sessions of the name. */
  'TOKEN_NAME_IN_USE',
  'TOKEN_NOT_FOUND',
  'EVENT_NOT_FOUND',
] as const;
export type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

export type ErrorCode = ServiceErrorCode | ClientErrorCode;

export interface UploadErrorOptions {
  readonly cause?: unknown;
  /** What to do next, in words for a person. */
  readonly hint?: string;
  /** Facts that a program may use, such as `missing` part ranges; they travel as problem+json extensions. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/**
 * Every failure that partway foresees. Deliberately not an UploadError: bugs (TypeError, RangeError …), which must surface
 * as what they are. Branch on `code`; `detail` is for people and may change.
 */
export class UploadError extends Error {
  override readonly name = 'UploadError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, detail: string, options: UploadErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.facts = options.facts ?? {};
  }

  get detail(): string {
    return this.message;
  }
}

export function isUploadError(error: unknown, ...codes: ErrorCode[]): error is UploadError {
  return error instanceof UploadError && (codes.length === 0 || codes.includes(error.code));
}
