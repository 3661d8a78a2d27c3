import { createHmac, hash } from 'node:crypto';

/** The parts of credentials that AWS Signature Version 4 needs. */
export interface SignatureCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface RequestToSign {
  readonly method: string;
  /** Percent-encoded once, as it is sent. */
  readonly path: string;
  /** Not encoded, in the order of names; no name begins with `X-Amz-`. */
  readonly query: Readonly<Record<string, string>>;
  /** All signed headers, including `host`; names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** By the object store's clock, in whole seconds. */
  readonly signedAt: Date;
  readonly expiresInSeconds: number;
}

/** Values that URLs share if they are signed in the same second, live equally long and sign the same headers, as in a batch of URLs. */
interface Shared {
  readonly instant: string;
  readonly scope: string;
  readonly key: Buffer;
  /** The first part of the query. */
  readonly start: string;
}

/**
 * Makes a signer for URLs of one region: AWS Signature Version 4 in the query, without a checksum of the body
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). Our own, because the SDK's signer takes many times as
 * long (measured) and a batch has hundreds of URLs. Tests, and each start of the server, compare the two. Shared values are computed
 * once.
 */
export function createUrlSigner(region: string): (request: RequestToSign, credentials: SignatureCredentials) => string {
  let last: { of: string; credentials: SignatureCredentials; shared: Shared } | undefined;

  function sharedOf(request: RequestToSign, signedHeaders: string, credentials: SignatureCredentials): Shared {
    const of = `${request.signedAt.getTime()} ${request.expiresInSeconds} ${signedHeaders}`;
    if (last === undefined || last.of !== of || last.credentials !== credentials) {
      last = { of, credentials, shared: share(region, request, signedHeaders, credentials) };
    }
    return last.shared;
  }

  /** Returns the whole query, including the signature. */
  return (request, credentials) => {
    const { method, path, query, headers } = request;
    const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
    const signedHeaders = sorted.map(([name]) => name).join(';');
    const { instant, scope, key, start } = sharedOf(request, signedHeaders, credentials);
    const canonicalQuery = `${start}&${formatQuery(query)}`;
    const headerLines = sorted.map(([name, value]) => `${name}:${value}\n`).join('');
    const canonical = `${method}\n${path}\n${canonicalQuery}\n${headerLines}\n${signedHeaders}\nUNSIGNED-PAYLOAD`;
    const toSign = `AWS4-HMAC-SHA256\n${instant}\n${scope}\n${hash('sha256', canonical)}`;
    return `${canonicalQuery}&X-Amz-Signature=${hmac(key, toSign).toString('hex')}`;
  };
}

function share(
  region: string,
  { signedAt, expiresInSeconds }: RequestToSign,
  signedHeaders: string,
  { accessKeyId, secretAccessKey, sessionToken }: SignatureCredentials,
): Shared {
  const instant = signedAt.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const date = instant.slice(0, 8);
  const scope = `${date}/${region}/s3/aws4_request`;
  return {
    instant,
    scope,
    key: [date, region, 's3', 'aws4_request'].reduce(hmac, Buffer.from(`AWS4${secretAccessKey}`)),
    // In the order of names: upper case comes before the lower-case names that S3 itself defines.
    start: formatQuery({
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD',
      'X-Amz-Credential': `${accessKeyId}/${scope}`,
      'X-Amz-Date': instant,
      'X-Amz-Expires': String(expiresInSeconds),
      ...(sessionToken === undefined ? {} : { 'X-Amz-Security-Token': sessionToken }),
      'X-Amz-SignedHeaders': signedHeaders,
    }),
  };
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function formatQuery(query: Readonly<Record<string, string>>): string {
  return Object.entries(query)
    .map(([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`)
    .join('&');
}

/** Encodes as SigV4 expects (RFC 3986); encodeURIComponent leaves `!'()*` as they are. */
export function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
