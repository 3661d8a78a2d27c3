import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { PROBLEM_MEDIA_TYPE, PROBLEMS, problemType } from '../contract/problems.ts';
import { ObjectStoreError } from '../object-store/port.ts';
import { SERVICE_ERROR_CODES, type ServiceErrorCode, UploadError } from '../session/errors.ts';
import type { Log } from './deps.ts';
import { STORE_CODES } from './store-codes.ts';

const RETRY_AFTER_SECONDS = 2;

/** Any thrown value becomes application/problem+json here, and only here a status is chosen. */
export function problemResponse(context: Context, error: unknown, log: Log): Response {
  const { code, detail, hint, facts } = asServiceError(error);
  const { status, title } = PROBLEMS[code];
  const instance = context.get('requestId') as string;
  if (status >= 500) log.error({ requestId: instance, code, err: error }, 'request failed');
  const retry = code === 'STORE_UNAVAILABLE' ? { retryAfterSeconds: RETRY_AFTER_SECONDS } : {};
  const body = {
    type: problemType(code),
    title,
    status,
    detail,
    instance,
    code,
    ...(hint === undefined ? {} : { hint }),
    ...retry,
    ...facts,
  };
  if ('retryAfterSeconds' in body) context.header('retry-after', String(body.retryAfterSeconds));
  // The rest of the body is not read: whoever sends another request behind it would be cut off.
  if (code === 'BODY_TOO_LARGE') context.header('connection', 'close');
  if (code === 'UNAUTHORIZED') context.header('www-authenticate', 'Bearer');
  return context.body(JSON.stringify(body), status as ContentfulStatusCode, { 'content-type': PROBLEM_MEDIA_TYPE });
}

interface ServiceError {
  readonly code: ServiceErrorCode;
  readonly detail: string;
  readonly hint?: string | undefined;
  readonly facts?: Readonly<Record<string, unknown>>;
}

function asServiceError(error: unknown): ServiceError {
  if (error instanceof UploadError && isServiceCode(error.code))
    return { code: error.code, detail: error.detail, hint: error.hint, facts: error.facts };
  if (error instanceof ObjectStoreError)
    return { code: STORE_CODES[error.failure], detail: `The object store answered: ${error.message}` };
  if (error instanceof HTTPException && error.status < 500) return { code: 'INVALID_REQUEST', detail: error.message };
  // Never the message of an unforeseen error: it may name anything. The log has it.
  return { code: 'INTERNAL', detail: 'The server met an error that it did not foresee.' };
}

function isServiceCode(code: string): code is ServiceErrorCode {
  return (SERVICE_ERROR_CODES as readonly string[]).includes(code);
}
