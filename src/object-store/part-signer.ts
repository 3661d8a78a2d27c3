import { CHECKSUM } from '../session/checksum.ts';
import type { Instant } from '../session/session.ts';
import type { PartToPresign, PresignedUrl } from './port.ts';
import type { SigningCredentials } from './signing-credentials.ts';
import { createUrlSigner, encodeRfc3986 } from './sigv4.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html: at most seven days. */
const MAX_EXPIRES_IN_SECONDS = 604_800;
const MAX_PART_NUMBER = 10_000;

export interface PartSignerOptions {
  readonly publicEndpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly now: () => Instant;
  /** The object store's clock minus ours, in milliseconds: a URL is dated by the clock that judges it. */
  readonly clockOffset: () => number;
}

export type SignPart = (part: PartToPresign, credentials: Omit<SigningCredentials, 'kind'>) => PresignedUrl;

/** Makes the function that signs part URLs. */
export function createPartSigner({ publicEndpoint, region, bucket, now, clockOffset }: PartSignerOptions): SignPart {
  const endpoint = new URL(publicEndpoint);
  const basePath = `${endpoint.pathname.replace(/\/+$/, '')}/${encodeRfc3986(bucket)}`;
  const sign = createUrlSigner(region);

  return (part, credentials) => {
    checkPart(part);
    const headers = headersToSend(part);
    const endsAt = credentials.expiresAt;
    // SigV4 dates are cut to whole seconds.
    const signedAt = Math.floor(now() / 1000) * 1000;
    // MinIO refuses a URL after the end of its session, even if the URL has not expired (measured), so the URL must not claim to live longer.
    const expiresIn = endsAt === null ? part.expiresInSeconds : Math.min(part.expiresInSeconds, secondsBetween(signedAt, endsAt));
    const path = `${basePath}/${part.key.split('/').map(encodeRfc3986).join('/')}`;
    const query = sign(
      {
        method: 'PUT',
        path,
        query: { partNumber: String(part.partNumber), uploadId: part.uploadId },
        // The checksum is a header, because MinIO ignores it in the query, where it would bind nothing (measured).
        headers: { ...headers, host: endpoint.host },
        signedAt: new Date(signedAt + clockOffset()),
        expiresInSeconds: expiresIn,
      },
      credentials,
    );
    return { url: `${endpoint.origin}${path}?${query}`, headers, expiresAt: signedAt + expiresIn * 1000 };
  };
}

function secondsBetween(start: Instant, end: Instant): number {
  return Math.floor((end - start) / 1000);
}

function headersToSend(part: PartToPresign): Record<string, string> {
  return {
    'content-length': String(part.contentLength),
    ...(part.checksum === undefined ? {} : { [CHECKSUM.header]: part.checksum }),
  };
}

/** Refuses parts that S3 does not allow. A URL without `uploadId` would replace the whole object: MinIO takes it as a plain PUT (measured). */
function checkPart({ uploadId, partNumber, contentLength, expiresInSeconds }: PartToPresign): void {
  if (uploadId === '') throw new RangeError('a part URL needs an upload id');
  if (!isIntegerWithin(partNumber, 1, MAX_PART_NUMBER)) throw new RangeError(`not a part number: ${partNumber}`);
  if (!isIntegerWithin(contentLength, 0, Number.MAX_SAFE_INTEGER)) throw new RangeError(`not a content length: ${contentLength}`);
  if (!isIntegerWithin(expiresInSeconds, 1, MAX_EXPIRES_IN_SECONDS)) {
    throw new RangeError(`a presigned URL lives 1 to ${MAX_EXPIRES_IN_SECONDS} seconds, not ${expiresInSeconds}`);
  }
}

function isIntegerWithin(value: number, lowest: number, highest: number): boolean {
  return Number.isInteger(value) && value >= lowest && value <= highest;
}
