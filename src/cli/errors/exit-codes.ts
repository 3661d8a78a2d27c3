import { type ErrorCode, isUploadError, type UploadError } from '../../session/errors.ts';
import type { StopSignal } from '../terminal/context.ts';

/** The exit codes are API: scripts branch on them. Treat an unknown one as a failure. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  source: 3,
  sourceChanged: 4,
  temporary: 5,
  refusedToken: 6,
  store: 7,
  conflict: 8,
  sessionGone: 9,
  mismatch: 10,
  hangup: 129,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** As printed by `partway --help`. */
export const EXIT_CODE_MEANINGS = {
  0: 'done',
  1: 'failed in some other way, or several files failed for different reasons',
  2: 'wrong usage or configuration; nothing was sent',
  3: 'the file does not exist or cannot be read',
  4: "the file changed, or is not the session's file",
  5: 'temporary: server or store out of reach, or the link too bad; resuming later helps',
  6: 'the token was refused, or does not allow it',
  7: 'the object store cannot take it: bucket missing, refused, full, open to forged writes, or without checksums',
  8: 'conflict: the object exists, another plan, another client took over',
  9: 'the session is unknown, aborted or expired',
  10: 'the stored object is not this file, or is not there, by `verify` or by what the server says at the end',
  129: 'stopped because the terminal closed (SIGHUP); resumable',
  130: 'stopped by Ctrl-C (SIGINT); resumable',
  143: 'stopped by SIGTERM; resumable',
} as const satisfies Record<ExitCode, string>;

const EXIT_CODE_OF_ERROR = {
  INVALID_REQUEST: EXIT.usage,
  INVALID_KEY: EXIT.usage,
  INVALID_PLAN: EXIT.usage,
  ROUTE_NOT_FOUND: EXIT.usage,
  CERTIFICATE_NOT_TRUSTED: EXIT.usage,
  PROXY_NOT_USABLE: EXIT.usage,
  SOURCE_NOT_FOUND: EXIT.source,
  SOURCE_UNREADABLE: EXIT.source,
  SOURCE_TOO_LARGE: EXIT.source,
  SOURCE_CHANGED: EXIT.sourceChanged,
  CHECKSUM_MISMATCH: EXIT.sourceChanged,
  SERVER_UNREACHABLE: EXIT.temporary,
  STOPPING: EXIT.temporary,
  STORE_UNAVAILABLE: EXIT.temporary,
  OUTAGE_TOO_LONG: EXIT.temporary,
  PART_FAILED: EXIT.temporary,
  SESSION_BUSY: EXIT.temporary,
  PARTS_MISSING: EXIT.temporary,
  PARTS_LOST: EXIT.temporary,
  REQUEST_TIMEOUT: EXIT.temporary,
  RATE_LIMITED: EXIT.temporary,
  UNAUTHORIZED: EXIT.refusedToken,
  FORBIDDEN: EXIT.refusedToken,
  KEY_NOT_ALLOWED: EXIT.refusedToken,
  CONTENT_TYPE_NOT_ALLOWED: EXIT.refusedToken,
  OBJECT_TOO_LARGE: EXIT.refusedToken,
  QUOTA_EXCEEDED: EXIT.refusedToken,
  TOO_MANY_SESSIONS: EXIT.refusedToken,
  TOO_MANY_CAPABILITIES: EXIT.refusedToken,
  BUCKET_NOT_FOUND: EXIT.store,
  STORE_REFUSED: EXIT.store,
  STORE_FULL: EXIT.store,
  STORE_OPEN_TO_FORGERY: EXIT.store,
  PART_REFUSED: EXIT.store,
  STORE_UNSUITABLE: EXIT.store,
  OBJECT_EXISTS: EXIT.conflict,
  KEY_CONFLICT: EXIT.conflict,
  SESSION_PLAN_DIFFERS: EXIT.conflict,
  SESSION_ATTRIBUTES_DIFFER: EXIT.conflict,
  IDEMPOTENCY_KEY_REUSED: EXIT.conflict,
  CLIENT_REPLACED: EXIT.conflict,
  SESSION_NOT_FOUND: EXIT.sessionGone,
  SESSION_NOT_OPEN: EXIT.sessionGone,
  OBJECT_NOT_FOUND: EXIT.mismatch,
  VERIFY_MISMATCH: EXIT.mismatch,
  RESULT_MISMATCH: EXIT.mismatch,
  TOKEN_NAME_TAKEN: EXIT.conflict,
  TOKEN_NAME_IN_USE: EXIT.conflict,
  TOKEN_NOT_FOUND: EXIT.failure,
  EVENT_NOT_FOUND: EXIT.failure,
  CLIENT_NOT_FOUND: EXIT.failure,
  INTERRUPTED: EXIT.interrupted,
  INVALID_ANSWER: EXIT.failure,
  BODY_TOO_LARGE: EXIT.failure,
  HEADERS_TOO_LARGE: EXIT.failure,
  INTERNAL: EXIT.failure,
} as const satisfies Record<ErrorCode, ExitCode>;

const EXIT_CODE_OF_SIGNAL = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.hangup,
} as const satisfies Record<StopSignal, ExitCode>;

export function exitCodeOfSignal(signal: StopSignal): ExitCode {
  return EXIT_CODE_OF_SIGNAL[signal];
}

export function exitCodeOfError(error: UploadError): ExitCode {
  return isAlreadyDone(error) ? EXIT.conflict : EXIT_CODE_OF_ERROR[error.code];
}

/** A session that is not open because it has completed is not gone: aborting it is a conflict. */
function isAlreadyDone(error: UploadError): boolean {
  const { sessionStatus } = error.facts;
  return isUploadError(error, 'SESSION_NOT_OPEN') && (sessionStatus === 'completed' || sessionStatus === 'completing');
}

/** The exit code for several files: the one that all failures share, else `failure`. */
export function exitCodeOfAll(codes: readonly ExitCode[]): ExitCode {
  const failures = new Set(codes.filter((code) => code !== EXIT.ok));
  const [first] = failures;
  if (first === undefined) return EXIT.ok;
  return failures.size === 1 ? first : EXIT.failure;
}
