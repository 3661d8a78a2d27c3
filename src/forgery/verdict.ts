/** The verdict on the access key id that a forged part names, by the store's answer (MinIO's were measured). */
export type ForgeryVerdict =
  /** The signature was not checked and no policy refused: anyone who knows the id writes whatever the id may write. */
  | 'open'
  /** The signature was not checked, but a policy refuses requests like it. */
  | 'shielded'
  /** The store checked the signature. */
  | 'no-hole'
  /** The store knows no such access key id, or it is disabled. */
  | 'no-such-id'
  /** The answer settles nothing. */
  | 'unknown';

export interface ForgeryAnswer {
  readonly status: number;
  /** The XML body of S3's errors, as far as it was read. */
  readonly body: string;
}

/** `AccessDenied` is also what MinIO says of dates that it does not accept; that says nothing about the policy. */
const ABOUT_THE_DATE = /expired|not valid yet/i;

export function judgeForgery({ status, body }: ForgeryAnswer): ForgeryVerdict {
  const code = textOf(body, 'Code');
  if (status === 404 && code === 'NoSuchUpload') return 'open';
  if (status !== 403) return 'unknown';
  switch (code) {
    case 'AccessDenied':
      return ABOUT_THE_DATE.test(textOf(body, 'Message') ?? '') ? 'unknown' : 'shielded';
    case 'SignatureDoesNotMatch':
      return 'no-hole';
    case 'InvalidAccessKeyId':
      return 'no-such-id';
    default:
      return 'unknown';
  }
}

function textOf(xml: string, element: string): string | undefined {
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1];
}
