import { beforeEach, describe, expect, it } from 'vitest';
import type { PartToPresign } from '../../src/object-store/port.ts';
import { checksumOf } from '../suites/object-store.ts';
import { sendRequest } from '../support/network/send-request.ts';
import { anS3Store, putObject, putPart, type S3Store } from '../support/store/s3-stores.ts';

const bytes = Buffer.from('these bytes and no others');
const checksum = checksumOf(bytes);

let store: S3Store;
let part: PartToPresign & { readonly checksum: string };

beforeEach(async () => {
  store = await anS3Store();
  const { uploadId } = await store.createMultipartUpload({
    key: 'own/file',
    contentType: null,
    contentDisposition: null,
    metadata: {},
    tags: {},
  });
  part = { key: 'own/file', uploadId, partNumber: 1, contentLength: bytes.length, checksum, expiresInSeconds: 60 };
});

const storedParts = () => store.listParts(part.key, part.uploadId);

describe('a presigned part URL', () => {
  it('accepts the bytes that it was signed for, any number of times', async () => {
    const { url, headers } = await store.presignPart(part);
    expect(await sendRequest('PUT', url, headers, bytes)).toMatchObject({ status: 200 });
    expect(await sendRequest('PUT', url, headers, bytes)).toMatchObject({ status: 200 });
    expect(await storedParts()).toMatchObject([{ partNumber: 1, size: bytes.length, checksum }]);
  });

  it('signs length and checksum, and has no checksum of an empty body in the query as the SDK would write it', async () => {
    const query = new URL((await store.presignPart(part)).url).searchParams;
    expect(query.get('X-Amz-SignedHeaders')).toBe('content-length;host;x-amz-checksum-crc32');
    expect([...query.keys()].filter((name) => /checksum/i.test(name))).toEqual([]);
    expect((await store.presignPart(part)).url).not.toContain('AAAAAA');
  });

  it('refuses other bytes of the same length, with the checksum it was signed for or with their own', async () => {
    const { url, headers } = await store.presignPart(part);
    const other = Buffer.from(bytes.toString().toUpperCase());
    const own = { ...headers, 'x-amz-checksum-crc32': checksumOf(other) };
    expect(await sendRequest('PUT', url, headers, other)).toMatchObject({ status: 400, code: 'XAmzContentChecksumMismatch' });
    expect(await sendRequest('PUT', url, own, other)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    expect(await storedParts()).toEqual([]);
  });

  it('refuses another length', async () => {
    const { url } = await store.presignPart(part);
    for (const other of [bytes.subarray(1), Buffer.concat([bytes, bytes]), Buffer.alloc(0)]) {
      const answer = await sendRequest('PUT', url, { 'x-amz-checksum-crc32': checksumOf(other) }, other);
      expect(answer).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    }
    expect(await storedParts()).toEqual([]);
  });

  it('refuses a PUT without the signed checksum', async () => {
    const { url, headers } = await store.presignPart(part);
    const answer = await sendRequest('PUT', url, { 'content-length': String(headers['content-length']) }, bytes);
    expect(answer).toMatchObject({ status: 400, code: 'AccessDenied' });
  });

  it.each<[string, (url: string) => string]>([
    ['part number', (url) => url.replace('partNumber=1', 'partNumber=2')],
    ['key', (url) => url.replace('/own/file', '/own/other')],
    ['upload', (url) => url.replace(/uploadId=[^&]+/, 'uploadId=other')],
    ['upload at all, which would be a PUT of the whole object', (url) => url.replace(/uploadId=[^&]+&/, '')],
    ['lifetime', (url) => url.replace('X-Amz-Expires=60', 'X-Amz-Expires=6000')],
    ['query', (url) => `${url}&versionId=null`],
  ])('is good for no other %s', async (_, change) => {
    const { url, headers } = await store.presignPart(part);
    expect(change(url)).not.toBe(url);
    expect(await sendRequest('PUT', change(url), headers, bytes)).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    expect(await storedParts()).toEqual([]);
    expect(await store.headObject(part.key)).toBeUndefined();
  });

  it.each(['GET', 'HEAD', 'POST', 'DELETE'])('does not allow %s', async (method) => {
    const { url, headers } = await store.presignPart(part);
    expect(await sendRequest(method, url, headers, bytes)).toMatchObject({ status: 403 });
    expect(await store.listMultipartUploads(part.key)).toHaveLength(1);
  });

  it('is refused once its lifetime is over', async () => {
    const earlier = await anS3Store({ bucket: store.bucket, now: () => Date.now() - 120_000 });
    const { url, headers, expiresAt } = await earlier.presignPart(part);
    expect(expiresAt).toBeLessThan(Date.now());
    const answer = await sendRequest('PUT', url, headers, bytes);
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(answer.body.toString()).toContain('Request has expired');
  });

  it('without a checksum still fixes the length, and the object store asks for a checksum', async () => {
    const { checksum: _, ...withoutChecksum } = part;
    const { url, headers } = await store.presignPart(withoutChecksum);
    expect(await sendRequest('PUT', url, headers, bytes)).toMatchObject({ status: 400, code: 'InvalidArgument' });
    const shorter = bytes.subarray(1);
    const answer = await sendRequest('PUT', url, { 'x-amz-checksum-crc32': checksumOf(shorter) }, shorter);
    expect(answer).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
    expect(await sendRequest('PUT', url, { ...headers, 'x-amz-checksum-crc32': checksum }, bytes)).toMatchObject({ status: 200 });
  });
});

/** An object store that accepts this unsigned header lets the holder of a part URL read any object that our key can read. */
describe('x-amz-copy-source on a presigned part URL', () => {
  const secret = Buffer.from('somebody else wrote this ');

  /** The header's value as S3 allows it: with and without the leading slash, encoded, with a version. */
  const sources = ['/BUCKET/secret', 'BUCKET/secret', '%2FBUCKET%2Fsecret', '/BUCKET/secret?versionId=null'];
  const companions: [string, Record<string, string>][] = [
    ['alone', {}],
    ['with a range', { 'x-amz-copy-source-range': 'bytes=0-4' }],
    ['with a condition', { 'x-amz-copy-source-if-match': '*' }],
    ['with a directive', { 'x-amz-metadata-directive': 'REPLACE' }],
    ['with the checksum of what it copies', { 'x-amz-checksum-crc32': checksumOf(secret) }],
  ];
  const cases = companions.flatMap(([name, headers]) => sources.map((source) => [name, source, headers] as const));

  beforeEach(async () => {
    expect(secret.length).toBe(bytes.length);
    await putObject(store, 'secret', secret);
  });

  it.each(cases)('is refused %s, as %s, and stores nothing', async (_, source, companion) => {
    const copy = { 'x-amz-copy-source': source.replace('BUCKET', store.bucket), ...companion };
    const { checksum: __, ...withoutChecksum } = part;
    for (const signed of [await store.presignPart(part), await store.presignPart(withoutChecksum)]) {
      for (const body of [bytes, Buffer.alloc(0)]) {
        const answer = await sendRequest(
          'PUT',
          signed.url,
          { ...signed.headers, ...copy, 'content-length': String(body.length) },
          body,
        );
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
        expect(answer.body.toString()).not.toContain('CopyPartResult');
      }
    }
    expect(await storedParts()).toEqual([]);
  });

  it('is refused because the copy lacks a checksum, although the signature is good', async () => {
    const copy = { 'x-amz-copy-source': `/${store.bucket}/secret` };
    const { url, headers } = await store.presignPart(part);
    const answer = await sendRequest('PUT', url, { ...headers, ...copy }, bytes);
    expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument' });
    expect(answer.body.toString()).toContain('checksum');
  });

  it('is refused for a URL of no bytes, and does not replace a stored part', async () => {
    await putPart(store, part.key, part.uploadId, 1, bytes);
    const signed = await store.presignPart({ ...part, contentLength: 0, checksum: checksumOf() });
    const answer = await sendRequest('PUT', signed.url, { ...signed.headers, 'x-amz-copy-source': `/${store.bucket}/secret` });
    expect(answer.status).toBe(400);
    expect(await storedParts()).toMatchObject([{ partNumber: 1, checksum }]);
  });

  it('is refused as a query parameter', async () => {
    const { url, headers } = await store.presignPart(part);
    const answer = await sendRequest('PUT', `${url}&x-amz-copy-source=${store.bucket}%2Fsecret`, headers, bytes);
    expect(answer).toMatchObject({ status: 403, code: 'SignatureDoesNotMatch' });
  });
});
