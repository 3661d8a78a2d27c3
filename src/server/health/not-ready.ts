import { serverAdviceAbout } from '../../outbound/certificate-refusal.ts';
import type { ServiceErrorCode } from '../../session/errors.ts';

/** The checks of `/readyz`. */
export type CheckName = 'database' | 'bucket' | 'signing' | 'forgedWrites';

export interface FailedCheck {
  readonly name: CheckName;
  readonly code: ServiceErrorCode;
  /** The failure in the words of the dependency, for the log only. */
  readonly reason: string;
  readonly bucket: string;
  /** The TLS error code, if the store's certificate is refused. */
  readonly certificateError?: string | undefined;
}

/** Makes one line for the server's log: which check fails, what that means, and what to do. */
export function describeFailedCheck(check: FailedCheck): string {
  return `not ready: ${meaningOf(check)} (${check.reason})`;
}

function meaningOf({ name, code, reason, bucket, certificateError }: FailedCheck): string {
  if (name === 'database') return 'the database cannot be used; requests are answered 503 until it can';
  if (code === 'STORE_OPEN_TO_FORGERY')
    return 'the object store takes forged writes, so no upload begins; see docs/minio-policy.md';
  const what = BROKEN_PART[name];
  if (certificateError !== undefined)
    return `${what}: the server does not trust the object store's certificate. ${serverAdviceAbout(certificateError)}`;
  if (code === 'STORE_UNAVAILABLE') return `${what}: the object store does not answer. Start it, or correct PARTWAY_S3_ENDPOINT`;
  if (code === 'BUCKET_NOT_FOUND') return `${what}: there is no bucket "${bucket}". Make it, or correct PARTWAY_S3_BUCKET`;
  if (code === 'STORE_FULL') return `${what}: the object store is full`;
  return `${what}: the object store refuses. ${remedyOf(name, reason)}`;
}

const BROKEN_PART = {
  bucket: 'the bucket cannot be used',
  signing: 'part URLs cannot be signed',
  forgedWrites: 'it cannot be found out whether the object store takes forged writes',
} as const satisfies Record<Exclude<CheckName, 'database'>, string>;

/** Names the half of the key that is wrong, which the store's own codes show. */
function remedyOf(name: CheckName, reason: string): string {
  const [id, secret] = ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'];
  const prefix = name === 'signing' ? 'PARTWAY_S3_SIGNING_… or PARTWAY_S3_' : 'PARTWAY_S3_';
  if (reason.includes('SignatureDoesNotMatch')) return `Correct ${prefix}${secret}`;
  if (reason.includes('InvalidAccessKeyId')) return `Correct ${prefix}${id}`;
  return `Check ${prefix}${id} and ${secret}, and what that key may do: docs/minio-policy.md`;
}
