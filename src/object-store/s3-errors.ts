import { S3ServiceException } from '@aws-sdk/client-s3';
import { STSServiceException } from '@aws-sdk/client-sts';
import {
  explainConnectionError,
  isConnectionError,
  codeOf as nodeCodeOf,
  refusedCertificate,
} from '../outbound/connection-errors.ts';
import { ObjectStoreError, type ObjectStoreFailure } from './port.ts';

/**
 * Meaning of the codes that count more than the status: S3 may report an error of Complete with status 200, which the SDK turns into 503.
 * The codes are S3's and MinIO's (each `XMinio…` and `Bad…` one measured, or documented by S3).
 */
const FAILURE_OF_CODE: ReadonlyMap<string, ObjectStoreFailure> = new Map([
  ['NoSuchUpload', 'upload-missing'],
  ['InvalidPart', 'part-invalid'],
  ['InvalidPartOrder', 'part-invalid'],
  ['EntityTooSmall', 'part-invalid'],
  ['PreconditionFailed', 'object-exists'],
  ['XAmzContentChecksumMismatch', 'checksum-mismatch'],
  // S3's own code for the same.
  ['BadDigest', 'checksum-mismatch'],
  ['NoSuchBucket', 'bucket-missing'],
  ['XMinioStorageFull', 'full'],
  ['XMinioAdminBucketQuotaExceeded', 'full'],
  // S3 answers these with 400 or 409 and means "later": a slow connection, a request that was damaged on its way (its body is not that of
  // the object), and a simultaneous write to the same key.
  ['RequestTimeout', 'unavailable'],
  ['IncompleteBody', 'unavailable'],
  ['XAmzContentSHA256Mismatch', 'unavailable'],
  ['OperationAborted', 'unavailable'],
  ['ConditionalRequestConflict', 'unavailable'],
]);

/** Statuses that mean "later". 499: MinIO saw that we closed the connection. */
const LATER_STATUSES: ReadonlySet<number> = new Set([408, 429, 499]);

/**
 * Turns an error of the SDK into an ObjectStoreError; returns errors that do not concern the object store (a bug, a TypeError) as they are.
 * An answered error does not become the `cause`: the SDK's error has the whole request with its signature, and logs print causes.
 */
export function toObjectStoreError(error: unknown): unknown {
  if (error instanceof ObjectStoreError || !(error instanceof Error)) return error;
  // Checked before the status, which may be that of an answer whose body broke off.
  if (isConnectionError(error)) return noAnswer(error);
  const status = statusOf(error);
  if (status !== undefined) return new ObjectStoreError(failureOf(codeOf(error), status, error.message), describe(error, status));
  return error;
}

function noAnswer(error: Error): ObjectStoreError {
  const reason = explainConnectionError(error) ?? networkText(error);
  const certificateError = refusedCertificate(error);
  return new ObjectStoreError('unavailable', `no answer from the object store: ${reason}`, { certificateError });
}

/** Returns the code in the object store's answer. An answer to HEAD has no body, so MinIO puts its code into a header. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return headersOf(error)['x-minio-error-code'] ?? (isServiceException(error) ? error.name : undefined);
}

export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}

function failureOf(code: string | undefined, status: number, message: string): ObjectStoreFailure {
  const byCode = FAILURE_OF_CODE.get(code ?? '');
  if (byCode !== undefined) return byCode;
  if (status === 412) return 'object-exists';
  // MinIO answers 500 InternalError with this text until its free-space figure is fresh, then 507 (measured).
  if (status === 507 || message.includes('no space left')) return 'full';
  // 501: the object store cannot do this, now or later.
  if (status === 501) return 'refused';
  // A success that cannot be read (cut short, or not S3's) is the same as no answer.
  if (status >= 500 || status < 300 || LATER_STATUSES.has(status)) return 'unavailable';
  return 'refused';
}

/** Describes the error with S3's own text, which contains neither URLs nor keys. The text of a proxy in place of S3 is left out. */
function describe(error: Error, status: number): string {
  if (status === 407) return 'a proxy in front of the object store wants a name and a password, or other ones (407)';
  const code = codeOf(error);
  if (code === undefined || !isServiceException(error)) return `the object store's answer (${status}) is not S3's`;
  const text = (headersOf(error)['x-minio-error-desc'] ?? error.message).replace(/^"|"$/g, '');
  return text === '' || text === code ? `${code} (${status})` : `${code} (${status}): ${text}`;
}

function isServiceException(error: Error): boolean {
  return error instanceof S3ServiceException || error instanceof STSServiceException;
}

function headersOf(error: Error): Readonly<Record<string, string | undefined>> {
  return (error as { $response?: { headers?: Record<string, string> } }).$response?.headers ?? {};
}

/** Removes the SDK's own name, with which its time-outs begin, and the advice that it adds to errors of an answer's body. */
function networkText(error: Error): string {
  const text = error.message
    .replace(/^@smithy\/node-http-handler - (\[ERROR\] )?/, '')
    .split('\n', 1)[0]
    ?.trim();
  // An AggregateError (both addresses of `localhost` refused) has a code and no message.
  return text || nodeCodeOf(error) || error.name;
}
