import type { Grant } from '../../session/access.ts';
import { type ErrorCode, UploadError } from '../../session/errors.ts';
import type { AuditEvent } from './event.ts';

/** Facts about a request that are known before it is answered. */
export interface RequestFacts {
  readonly requestId: string;
  readonly address: string;
  readonly caller?: { readonly grant: Grant };
  /** The object of a session that was to be created. */
  readonly wanted?: { readonly key: string; readonly size: number };
}

/** Refusals that depend on the caller, not on the state of the session: these belong into the audit log. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAUTHORIZED',
  'FORBIDDEN',
  'KEY_NOT_ALLOWED',
  'CONTENT_TYPE_NOT_ALLOWED',
  'OBJECT_TOO_LARGE',
  'QUOTA_EXCEEDED',
  'TOO_MANY_SESSIONS',
  'TOO_MANY_CAPABILITIES',
  'INVALID_KEY',
  'SESSION_NOT_FOUND',
  'RATE_LIMITED',
]);

const SESSION_IN_PATH = /^\/api\/uploads?\/([^/]+)/;

/** Returns the event for the audit log, if the error belongs there. */
export function refusalOf(
  error: unknown,
  request: RequestFacts & { readonly method: string; readonly path: string },
): AuditEvent | undefined {
  if (!(error instanceof UploadError) || !REFUSALS.has(error.code)) return undefined;
  const { requestId, address, caller, wanted, method, path } = request;
  return {
    event: 'refused',
    code: error.code,
    operation: `${method} ${path}`,
    token: caller?.grant.owner,
    tokenId: caller?.grant.tokenId,
    address,
    requestId,
    sessionId: SESSION_IN_PATH.exec(path)?.[1],
    ...wanted,
  };
}
