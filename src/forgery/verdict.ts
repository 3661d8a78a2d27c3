import { readS3Error } from '../outbound/s3-error.ts';

/** Verdict on the access key id that a forged part names, from the object store's answer (measured with MinIO). */
export type ForgeryVerdict =
  /** The signature was not checked, and no policy refused the request: anyone who knows the id can write whatever the id may write. */
  | 'open'
  /** The signature was not checked, but a policy refuses such requests. */
  | 'shielded'
  /** The object store checked the signature. */
  | 'no-hole'
  /** The object store does not know the access key id, or it is disabled. */
  | 'no-such-id'
  /** The answer does not tell. */
  | 'unknown';

export interface ForgeryAnswer {
  readonly status: number;
  /** The XML body of S3's errors, up to a limit. */
  readonly body: string;
}

/** MinIO also answers `AccessDenied` for dates that it does not accept, which tells nothing about the policy. */
const ABOUT_THE_DATE = /expired|not valid yet/i;

export function judgeForgery({ status, body }: ForgeryAnswer): ForgeryVerdict {
  const { code, message = '' } = readS3Error(body);
  if (status === 404 && code === 'NoSuchUpload') return 'open';
  if (status !== 403) return 'unknown';
  switch (code) {
    case 'AccessDenied':
      return ABOUT_THE_DATE.test(message) ? 'unknown' : 'shielded';
    case 'SignatureDoesNotMatch':
      return 'no-hole';
    case 'InvalidAccessKeyId':
      return 'no-such-id';
    default:
      return 'unknown';
  }
}
