import { serverAdviceAbout } from '../../outbound/certificate-refusal.ts';
import type { ServiceErrorCode } from '../../session/errors.ts';

/** The checks of `/readyz`. */
export type CheckName = 'database' | 'bucket' | 'signing' | 'forgedWrites';

export interface FailedCheck {
  readonly name: CheckName;
  readonly code: ServiceErrorCode;
  /** In the words of the dependency; only for the log. */
  readonly reason: string;
  readonly bucket: string;
  /** The code by which the store's certificate is refused, where that is the reason. */
  readonly certificateError?: string | undefined;
}

/** One line for the log of the server: what fails, what that means, and what to do. */
export function describeFailedCheck(check: FailedCheck): string {
  return `not ready: ${meaningOf(check)} (${check.reason})`;
}

function meaningOf({ name, code, reason, bucket, certificateError }: FailedCheck): string {
  if (name === 'database') return 'the database does not serve; requests are answered 503 until it does';
  if (code === 'STORE_OPEN_TO_FORGERY')
    return 'the object store takes forged writes, so no upload begins; see docs/minio-policy.md';
  const what = WHAT_WAITS[name];
  if (certificateError !== undefined)
    return `${what}: the server does not trust the object store's certificate. ${serverAdviceAbout(certificateError)}`;
  if (code === 'STORE_UNAVAILABLE') return `${what}: the object store does not answer. Start it, or correct PARTWAY_S3_ENDPOINT`;
  if (code === 'BUCKET_NOT_FOUND') return `${what}: there is no bucket "${bucket}". Make it, or correct PARTWAY_S3_BUCKET`;
  if (code === 'STORE_FULL') return `${what}: the object store is full`;
  return `${what}: the object store refuses. ${remedyOf(name, reason)}`;
}

const WHAT_WAITS = {
  bucket: 'the bucket cannot be used',
  signing: 'part URLs cannot be signed',
  forgedWrites: 'whether the object store takes forged writes cannot be found out',
} as const satisfies Record<Exclude<CheckName, 'database'>, string>;

/** The store's own codes say which half of the key is wrong. */
function remedyOf(name: CheckName, reason: string): string {
  const [id, secret] = ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY'];
  const prefix = name === 'signing' ? 'PARTWAY_S3_SIGNING_… or PARTWAY_S3_' : 'PARTWAY_S3_';
  if (reason.includes('SignatureDoesNotMatch')) return `Correct ${prefix}${secret}`;
  if (reason.includes('InvalidAccessKeyId')) return `Correct ${prefix}${id}`;
  return `Check ${prefix}${id} and ${secret}, and what that key may do: docs/minio-policy.md`;
}
