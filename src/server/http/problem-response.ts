import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { PROBLEM_MEDIA_TYPE, PROBLEMS, problemType } from '../../contract/problems.ts';
import { ObjectStoreError } from '../../object-store/port.ts';
import { SERVICE_ERROR_CODES, type ServiceErrorCode, UploadError } from '../../session/errors.ts';
import { isFileLoss } from '../../session-store/port/file-loss.ts';
import { SessionStoreUnavailable } from '../../session-store/port/unavailable.ts';
import type { Log } from '../core/deps.ts';
import { DATABASE_TROUBLES, STORE_CODES } from '../core/store-codes.ts';

/** Temporary problems say when to come again, also if the error itself does not. */
const RETRY_AFTER_SECONDS: Partial<Record<ServiceErrorCode, number>> = { STORE_UNAVAILABLE: 2, RATE_LIMITED: 1 };

export interface ProblemAnswer {
  readonly code: ServiceErrorCode;
  readonly status: number;
  readonly instance: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A problem document. */
  readonly body: string;
}

export interface ProblemListeners {
  readonly log: Log;
  /** Called for each problem that is answered. */
  readonly refused: (code: ServiceErrorCode) => void;
}

/** Turns any thrown value into application/problem+json. Statuses are chosen only here. */
export function problemResponse(context: Context, error: unknown, { log, refused }: ProblemListeners): Response {
  const { code, status, instance, headers, body } = problemAnswer(error, context.get('requestId') as string);
  refused(code);
  if (status >= 500) log.error({ requestId: instance, code, err: error }, 'request failed');
  return context.body(body, status as ContentfulStatusCode, { ...headers, 'content-type': PROBLEM_MEDIA_TYPE });
}

/** @param instance The request's id. */
export function problemAnswer(error: unknown, instance: string): ProblemAnswer {
  const { code, detail, hint, facts } = asServiceError(error);
  const { status, title } = PROBLEMS[code];
  const retryAfterSeconds = facts?.retryAfterSeconds ?? RETRY_AFTER_SECONDS[code];
  const problem = {
    type: problemType(code),
    title,
    status,
    detail,
    instance,
    code,
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...facts,
  };
  const headers = {
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    // The rest of the body is not read, so a further request on this connection could not be answered.
    ...(code === 'BODY_TOO_LARGE' ? { connection: 'close' } : {}),
    ...(code === 'UNAUTHORIZED' ? { 'www-authenticate': 'Bearer' } : {}),
  };
  return { code, status, instance, headers, body: JSON.stringify(problem) };
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
  // Its message is only for the log, because it names the database's address.
  if (error instanceof SessionStoreUnavailable) return { code: 'STORE_UNAVAILABLE', detail: detailOf(error) };
  if (error instanceof HTTPException && error.status < 500) return { code: 'INVALID_REQUEST', detail: error.message };
  // Never the message of an unexpected error, which may name anything. The log has it.
  return { code: 'INTERNAL', detail: 'The server met an unexpected error.' };
}

/** Describes a database failure. Promises that nothing is lost only where the file is still there. */
function detailOf({ reason }: SessionStoreUnavailable): string {
  return isFileLoss(reason) ? DATABASE_TROUBLES[reason] : `${DATABASE_TROUBLES[reason]} Nothing that it had recorded is lost.`;
}

function isServiceCode(code: string): code is ServiceErrorCode {
  return (SERVICE_ERROR_CODES as readonly string[]).includes(code);
}
