import type { ServiceErrorCode } from '../session/errors.ts';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export interface Problem {
  readonly status: number;
  /** Constant for each code, as RFC 9457 asks; `detail` describes the single case. */
  readonly title: string;
  /** The text that the problem's `type` URI answers. */
  readonly explanation: string;
}

/** HTTP status and texts of every error that the control plane answers. */
export const PROBLEMS = {
  INVALID_REQUEST: {
    status: 400,
    title: 'The request does not fit the API',
    explanation:
      'A field is missing, unknown or out of range. `errors` names each one by JSON pointer; /openapi.json has the schema.',
  },
  INVALID_KEY: {
    status: 400,
    title: 'The object key cannot be stored',
    explanation: 'Keys have 1 to 1,024 bytes of UTF-8, segments of at most 255 bytes, and no empty, "." or ".." segment.',
  },
  INVALID_PLAN: {
    status: 400,
    title: 'The part plan is not possible',
    explanation: 'Parts have 5 MiB to 5 GiB, an upload has at most 10,000 of them, and an object has at most 5 TiB.',
  },
  UNAUTHORIZED: {
    status: 401,
    title: 'A valid bearer token is needed',
    explanation:
      'Send `Authorization: Bearer <token>`. The server shows a generated token once, or takes its token from PARTWAY_TOKEN.',
  },
  FORBIDDEN: {
    status: 403,
    title: 'The token does not allow this operation',
    explanation:
      'The token is valid, but lacks the scope that the operation needs, or is for one session only and not for this operation.',
  },
  KEY_NOT_ALLOWED: {
    status: 403,
    title: 'The object key lies outside the keys that the token may write',
    explanation:
      'The token, or the server itself, is limited to a bucket and a key prefix; `keyPrefix` names it. Nothing was created.',
  },
  CONTENT_TYPE_NOT_ALLOWED: {
    status: 403,
    title: 'The token does not allow this content type',
    explanation:
      '`contentTypes` lists the types that the token allows. A file without a content type is refused as well. Nothing was created.',
  },
  OBJECT_TOO_LARGE: {
    status: 403,
    title: 'The file is larger than the token allows',
    explanation: '`maxObjectSize` is the largest size, in bytes, that this token may upload. Nothing was created.',
  },
  QUOTA_EXCEEDED: {
    status: 403,
    title: "The token's quota is not large enough",
    explanation:
      'Unfinished sessions reserve their whole size, completed ones keep it; aborted and expired ones give it back. Nothing was created.',
  },
  TOO_MANY_SESSIONS: {
    status: 403,
    title: 'The token has reached its number of unfinished sessions',
    explanation: 'Complete or abort one of them first; `maxOpenSessions` is the limit. Nothing was created.',
  },
  TOO_MANY_CAPABILITIES: {
    status: 403,
    title: 'The token has reached its number of capabilities',
    explanation:
      'Capabilities count until they expire; `maxCapabilities` is the limit. Ask for a shorter life (`expiresInSeconds`), or revoke the token, which ends all of its capabilities.',
  },
  ROUTE_NOT_FOUND: {
    status: 404,
    title: 'There is nothing at this path',
    explanation: 'The method and path name no operation of this API; /openapi.json lists them all.',
  },
  SESSION_NOT_FOUND: {
    status: 404,
    title: 'No such upload session',
    explanation:
      'This server does not know the session id. Check the id, and that the client uses the server that created the session.',
  },
  OBJECT_NOT_FOUND: {
    status: 404,
    title: 'The object store holds no such object',
    explanation: 'The session has not completed, or its object was deleted afterwards.',
  },
  OBJECT_EXISTS: {
    status: 409,
    title: 'An object with this key exists already',
    explanation: 'Nothing was overwritten. Choose another key, or ask for `overwrite`.',
  },
  KEY_CONFLICT: {
    status: 409,
    title: 'The object key would hide another object, or be hidden by one',
    explanation:
      'If both `a` and `a/b` are objects, MinIO lists only `a`, and the other can no longer be found. `conflictingKey` is the key of the other object. Nothing was created.',
  },
  SESSION_NOT_OPEN: {
    status: 409,
    title: 'The session is not open',
    explanation: 'The operation needs an open session; `sessionStatus` is the status that it has.',
  },
  SESSION_BUSY: {
    status: 409,
    title: 'Another request is changing the session',
    explanation: 'Another request changed the session at the same time. Send the request again.',
  },
  SESSION_PLAN_DIFFERS: {
    status: 409,
    title: 'The session has another part plan',
    explanation:
      'This file has an open session with stored parts and another strategy or part size, which cannot change now. Leave out the flag to continue it, or abort the session to begin again.',
  },
  SESSION_ATTRIBUTES_DIFFER: {
    status: 409,
    title: 'The object has, or will have, other attributes',
    explanation:
      'This file has a session with stored parts, or a completed one, with other tags, metadata, content type or disposition: `differences` names them. An object keeps the attributes that its upload began with. Leave them out, choose another key, abort the session, or, once it is completed, ask for `overwrite`.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 409,
    title: 'The idempotency key belongs to another request',
    explanation: 'An earlier request with other contents had the same Idempotency-Key. Use a new key for a new upload.',
  },
  PARTS_MISSING: {
    status: 409,
    title: 'Parts are missing at the object store',
    explanation:
      '`missing` lists the ranges of part numbers to send before completing. Those in `unproven` are stored with a size other than planned, or without a CRC32. If they were sent correctly, sending them again does not help: the object store is not suitable.',
  },
  PARTS_LOST: {
    status: 409,
    title: 'The object store lost the parts of this session',
    explanation:
      'The object store deleted or lost the multipart upload. The session is open again under the same id; `lostBytes` must be sent again.',
  },
  CHECKSUM_MISMATCH: {
    status: 409,
    title: 'The checksum differs from what is stored',
    explanation:
      'The stored parts, or those of the completed object, have other contents than the file that the checksum was computed from.',
  },
  CLIENT_REPLACED: {
    status: 409,
    title: 'Another client has taken over this session',
    explanation: 'A newer client uploads this session, so the older one must stop. Nothing stored is lost.',
  },
  BODY_TOO_LARGE: {
    status: 413,
    title: 'The request body is too large',
    explanation:
      'File bytes never go to this server. JSON bodies have at most 64 KiB (4 KiB for requests that need no more), and 200 bytes more for each part of the session if they list stored parts; `maxBodyBytes` is the limit of this request.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: 'The request headers are too large',
    explanation: 'Request line and headers have at most 16 KiB together.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    title: 'The request did not arrive in time',
    explanation: 'Headers must arrive within 15 seconds, and the whole request within 2 minutes. Send it again.',
  },
  RATE_LIMITED: {
    status: 429,
    title: 'Too many requests',
    explanation:
      'The token, or the address, exceeds a limit of the server: requests in a second (large ones count as several), bodies being received or live streams at once, failed authentication. Try again after `retryAfterSeconds`.',
  },
  BUCKET_NOT_FOUND: {
    status: 502,
    title: 'The bucket does not exist',
    explanation: 'The object store knows no such bucket. The administrator must create it or change PARTWAY_S3_BUCKET.',
  },
  STORE_REFUSED: {
    status: 502,
    title: 'The object store refused the request',
    explanation:
      "The control plane's key lacks a right, or the object store does not support the request. The server's log has the object store's answer.",
  },
  STORE_FULL: {
    status: 507,
    title: 'The object store has no space left',
    explanation: 'Parts stored so far are kept. Free space at the object store (MinIO notices it within 5 minutes), then resume.',
  },
  STORE_UNAVAILABLE: {
    status: 503,
    title: 'The object store or the database cannot serve now',
    explanation:
      'It is starting, overloaded or out of reach; or the disk of the database is full, read-only or broken; or the file of the database was deleted, replaced or overwritten: `detail` says which. Try again after `retryAfterSeconds`. Parts that the object store holds are kept.',
  },
  STORE_OPEN_TO_FORGERY: {
    status: 503,
    title: 'The object store accepts forged writes',
    explanation:
      'The object store does not check the signature of some requests, and no policy refuses them: anyone who has seen a part URL could replace objects. No session is created until the hole is closed, or until the administrator accepts it with PARTWAY_S3_ALLOW_FORGERY=yes. Existing sessions continue.',
  },
  STOPPING: {
    status: 503,
    title: 'The server is stopping',
    explanation:
      'It finishes the requests in progress and takes no new work: a balancer should send requests elsewhere. Nothing is lost; clients continue with another server, or with this one once it is back.',
  },
  INTERNAL: {
    status: 500,
    title: 'An unexpected error occurred in the server',
    explanation:
      "This is a bug, or the server's database is damaged. The server log has the details under the request id given as `instance`.",
  },
} as const satisfies Record<ServiceErrorCode, Problem>;

/** Returns the stable URI reference of a problem type, at which the server answers the explanation. */
export function problemType(code: string): string {
  return `/problems/${code.toLowerCase().replaceAll('_', '-')}`;
}
