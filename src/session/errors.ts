/** Codes of the control plane's answers; contract/problems.ts gives each its HTTP status. Stable: programs branch on them. */
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
  /** The object store accepts writes with a forged signature, so no session is created. */
  'STORE_OPEN_TO_FORGERY',
  /** Answer of `/readyz` while the server shuts down; it still answers the requests in progress. */
  'STOPPING',
  'INTERNAL',
] as const;
export type ServiceErrorCode = (typeof SERVICE_ERROR_CODES)[number];

/** Codes that only a client or a command raises; the control plane never answers them. */
export const CLIENT_ERROR_CODES = [
  /** The control plane cannot be reached, or something in front of it answered instead. */
  'SERVER_UNREACHABLE',
  /** This host does not trust the certificate of the control plane or the object store, which has never answered during this run. */
  'CERTIFICATE_NOT_TRUSTED',
  /** The control plane or the object store would be reached through a proxy of a kind that partway cannot use. */
  'PROXY_NOT_USABLE',
  /** The control plane's answer is impossible: a plan of 0 bytes, a trillion parts, a list without an end. */
  'INVALID_ANSWER',
  'SOURCE_NOT_FOUND',
  'SOURCE_UNREADABLE',
  'SOURCE_CHANGED',
  /** The file is larger than any object can be. */
  'SOURCE_TOO_LARGE',
  /** The object store definitely refuses a part; sending it again does not help. */
  'PART_REFUSED',
  /** A part failed as often as it may while the link worked. */
  'PART_FAILED',
  /** The object store does not give what proves an upload, such as the checksums of parts. */
  'STORE_UNSUITABLE',
  'OUTAGE_TOO_LONG',
  'VERIFY_MISMATCH',
  /** The server describes a finished object other than the one that this client sent or read. */
  'RESULT_MISMATCH',
  /** No client on this host uploads the session that was to be paused, continued or limited. */
  'CLIENT_NOT_FOUND',
  'INTERRUPTED',
  'TOKEN_NAME_TAKEN',
  /** Another valid token has the same name, and continues its sessions. */
  'TOKEN_NAME_IN_USE',
  'TOKEN_NOT_FOUND',
  'EVENT_NOT_FOUND',
] as const;
export type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

export type ErrorCode = ServiceErrorCode | ClientErrorCode;

export interface UploadErrorOptions {
  readonly cause?: unknown;
  /** The next step, for a person. */
  readonly hint?: string;
  /** Details for programs, such as `missing` part ranges; sent as extensions of problem+json. */
  readonly facts?: Readonly<Record<string, unknown>>;
}

/**
 * A failure that partway expects. Bugs (TypeError, RangeError …) are deliberately never turned into one. Programs branch on `code`;
 * `detail` is for people and may change.
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

/**
 * Whether an error is a bug, in this program or in the caller's `ByteSource`, so that another attempt would fail in the same way.
 * Socket errors may have the same classes: turn them into another error where they are caught, before you ask.
 */
export function isProgrammingError(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof ReferenceError ||
    error instanceof SyntaxError ||
    error instanceof EvalError ||
    error instanceof URIError
  );
}
