import type { Instant } from '../session/session.ts';
import type { PartToPresign, PresignedUrl } from './port.ts';
import type { SigningCredentials } from './signing-credentials.ts';
import { createUrlSigner, encodeRfc3986 } from './sigv4.ts';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html: at most seven days. */
const MAX_EXPIRES_IN_SECONDS = 604_800;
const MAX_PART_NUMBER = 10_000;
const CHECKSUM_HEADER = 'x-amz-checksum-crc32';

export interface PartPresignerOptions {
  readonly publicEndpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Asked for each URL. */
  readonly credentials: () => Promise<SigningCredentials>;
  readonly now: () => number;
  /** The store's clock minus ours, in milliseconds: a URL is dated by the clock that judges it. */
  readonly clockOffset: () => number;
}

/** Signs part URLs. */
export function createPartPresigner(options: PartPresignerOptions): (part: PartToPresign) => Promise<PresignedUrl> {
  const endpoint = new URL(options.publicEndpoint);
  const basePath = `${endpoint.pathname.replace(/\/+$/, '')}/${encodeRfc3986(options.bucket)}`;
  const sign = createUrlSigner(options.region);

  return async (part) => {
    checkPart(part);
    const headers = headersToSend(part);
    const credentials = await options.credentials();
    const endsAt = credentials.expiresAt;
    // SigV4 dates are in whole seconds, cut off.
    const signedAt = Math.floor(options.now() / 1000) * 1000;
    // Past its session's end, MinIO refuses a URL that has not expired (measured): so what we say must not be later.
    const expiresIn = endsAt === null ? part.expiresInSeconds : Math.min(part.expiresInSeconds, secondsBetween(signedAt, endsAt));
    const path = `${basePath}/${part.key.split('/').map(encodeRfc3986).join('/')}`;
    const query = sign(
      {
        method: 'PUT',
        path,
        query: { partNumber: String(part.partNumber), uploadId: part.uploadId },
        // The checksum as a header: in the query it would bind nothing, MinIO ignores it there (measured).
        headers: { ...headers, host: endpoint.host },
        signedAt: new Date(signedAt + options.clockOffset()),
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
    ...(part.checksum === undefined ? {} : { [CHECKSUM_HEADER]: part.checksum }),
  };
}

/** A URL without `uploadId` would be a licence to replace the whole object: MinIO takes it as a plain PUT (measured). */
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
