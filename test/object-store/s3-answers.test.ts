import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ObjectStoreError, type ObjectStoreFailure } from '../../src/object-store/port.ts';
import { expectFailure } from '../suites/object-store.ts';
import { answer, cannedS3, hangUp, s3Error } from '../support/store/canned-s3.ts';

const upload = { key: 'k', contentType: null, contentDisposition: null, metadata: {}, tags: {} };
const input = {
  key: 'k',
  uploadId: 'u',
  parts: [{ partNumber: 1, etag: '"e"', checksum: 'MXrPfA==', size: 5 }],
  checksum: 'MXrPfA==',
  onlyIfAbsent: true,
};
const listing = (inside: string) =>
  answer(200, `<ListPartsResult><UploadId>u</UploadId><IsTruncated>false</IsTruncated>${inside}</ListPartsResult>`);
const healthy = listing('<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>');
/** MinIO's listing of an upload for which it has lost the checksum algorithm. */
const damaged = listing('<ChecksumAlgorithm></ChecksumAlgorithm><ChecksumType></ChecksumType>');
const completed = '<CompleteMultipartUploadResult><ETag>"e-1"</ETag></CompleteMultipartUploadResult>';

describe('an error answer', () => {
  it.each<[number, string, ObjectStoreFailure]>([
    [404, 'NoSuchUpload', 'upload-missing'],
    [400, 'InvalidPart', 'part-invalid'],
    [400, 'InvalidPartOrder', 'part-invalid'],
    [400, 'EntityTooSmall', 'part-invalid'],
    [412, 'PreconditionFailed', 'object-exists'],
    [400, 'XAmzContentChecksumMismatch', 'checksum-mismatch'],
    [400, 'BadDigest', 'checksum-mismatch'],
    [404, 'NoSuchBucket', 'bucket-missing'],
    [507, 'XMinioStorageFull', 'full'],
    [400, 'XMinioAdminBucketQuotaExceeded', 'full'],
    [403, 'AccessDenied', 'refused'],
    [403, 'InvalidAccessKeyId', 'refused'],
    [403, 'SignatureDoesNotMatch', 'refused'],
    [400, 'InvalidArgument', 'refused'],
    [405, 'MethodNotAllowed', 'refused'],
    [501, 'NotImplemented', 'refused'],
    [301, 'PermanentRedirect', 'refused'],
    [400, 'RequestTimeout', 'unavailable'],
    [400, 'IncompleteBody', 'unavailable'],
    [400, 'XAmzContentSHA256Mismatch', 'unavailable'],
    [408, 'Whatever', 'unavailable'],
    [409, 'ConditionalRequestConflict', 'unavailable'],
    [429, 'TooManyRequests', 'unavailable'],
    [499, 'ClientDisconnected', 'unavailable'],
    [500, 'InternalError', 'unavailable'],
    [503, 'SlowDown', 'unavailable'],
    [503, 'XMinioServerNotInitialized', 'unavailable'],
  ])('%i %s is %s', async (status, code, failure) => {
    const { store } = await cannedS3(answer(status, s3Error(code)), healthy);
    const error = await store.completeMultipartUpload(input).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ObjectStoreError);
    expect(error).toMatchObject({ failure, message: `${code} (${status}): in the words of the store` });
  });

  it('means full if MinIO answers 500 with the text that no space is left', async () => {
    const { store } = await cannedS3(answer(500, s3Error('InternalError', 'cause(no space left on device)')));
    await expectFailure('full', store.createMultipartUpload(upload));
  });

  it.each([502, 503, 504])("means unavailable for a proxy's page with %i, whose text is not repeated", async (status) => {
    const { store } = await cannedS3(answer(status, '<html><body>nginx</body></html>', { 'content-type': 'text/html' }));
    const error = await store.createMultipartUpload(upload).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ failure: 'unavailable', message: expect.not.stringContaining('nginx') });
  });

  it('has no key, signature or URL in its error, however deeply that is printed', async () => {
    for (const handler of [answer(403, s3Error('AccessDenied')), answer(500, ''), hangUp]) {
      const { store } = await cannedS3(handler);
      const error = await store.completeMultipartUpload(input).catch((thrown: unknown) => thrown);
      const printed = inspect(error, { depth: 20, showHidden: true });
      expect(printed).not.toMatch(/AKIDEXAMPLE|secret-example|Signature=|http:|uploadId=/);
    }
  });
});

describe('Complete', () => {
  it.each<[string, ObjectStoreFailure]>([
    ['InvalidPart', 'part-invalid'],
    ['PreconditionFailed', 'object-exists'],
    ['InternalError', 'unavailable'],
  ])('recognizes an error under status 200: %s', async (code, failure) => {
    const { store, requests } = await cannedS3(answer(200, s3Error(code)));
    await expectFailure(failure, store.completeMultipartUpload(input));
    expect(requests).toHaveLength(1);
  });

  it('accepts blanks before the answer, which show that the object store is still working', async () => {
    const { store } = await cannedS3((_, response) => {
      response.writeHead(200);
      response.write('<?xml version="1.0" encoding="UTF-8"?>\n');
      for (let blank = 0; blank < 20; blank++) response.write(' ');
      response.end(completed);
    });
    await expect(store.completeMultipartUpload(input)).resolves.toBeUndefined();
  });

  it.each([
    ['is empty', answer(200, '')],
    ['is cut short', answer(200, completed.slice(0, 40))],
    ['is an error with something after it', answer(200, `${s3Error('InternalError')}\n`)],
    ["is a proxy's page", answer(200, '<html></html>')],
    ['does not come', hangUp],
  ])('is unavailable, not completed, if the answer %s', async (_, handler) => {
    const { store } = await cannedS3(handler);
    await expectFailure('unavailable', store.completeMultipartUpload(input));
  });

  it.each([
    ['the line is cut', hangUp],
    ['the store is overloaded', answer(503, s3Error('SlowDown'))],
  ])('is sent exactly once although %s: a repeat of one that succeeded looks like a failure', async (_, handler) => {
    const { store, requests } = await cannedS3(handler);
    await expectFailure('unavailable', store.completeMultipartUpload(input));
    expect(requests).toHaveLength(1);
  });
});

describe('an upload that the object store has damaged', () => {
  it('is missing when its parts are listed, because its parts can never become the object', async () => {
    await expectFailure('upload-missing', (await cannedS3(damaged)).store.listParts('k', 'u'));
  });

  it('is missing, not a wrong checksum, when Complete is the first to meet it', async () => {
    const { store } = await cannedS3(answer(400, s3Error('XAmzContentChecksumMismatch')), damaged);
    await expectFailure('upload-missing', store.completeMultipartUpload(input));
  });

  it('is not assumed if the object store never names the algorithm', async () => {
    expect(await (await cannedS3(listing(''))).store.listParts('k', 'u')).toEqual([]);
  });

  it('is not assumed if the object store cannot be asked', async () => {
    const { store } = await cannedS3(answer(400, s3Error('XAmzContentChecksumMismatch')), answer(503, s3Error('SlowDown')));
    await expectFailure('unavailable', store.completeMultipartUpload(input));
  });
});

describe('Create', () => {
  it('is sent exactly once, because a repeat leaves an upload that is on no record', async () => {
    const { store, requests } = await cannedS3(hangUp);
    await expectFailure('unavailable', store.createMultipartUpload(upload));
    expect(requests).toHaveLength(1);
  });

  it('fails as unavailable if the answer names no upload', async () => {
    const { store } = await cannedS3(answer(200, '<html></html>'));
    await expectFailure('unavailable', store.createMultipartUpload(upload));
  });
});

describe('a call that changes nothing', () => {
  it('is sent a second time when the connection breaks', async () => {
    const { store, requests } = await cannedS3(hangUp, healthy);
    expect(await store.listParts('k', 'u')).toEqual([]);
    expect(requests).toHaveLength(2);
  });

  it('is not sent a third time', async () => {
    const { store, requests } = await cannedS3(answer(503, s3Error('SlowDown')));
    await expectFailure('unavailable', store.listParts('k', 'u'));
    expect(requests).toHaveLength(2);
  });
});

describe('HEAD answered 404', () => {
  it('means no object with the code of MinIO, in one call', async () => {
    const { store, requests } = await cannedS3(answer(404, '', { 'x-minio-error-code': 'NoSuchKey' }));
    expect(await store.headObject('k')).toBeUndefined();
    expect(requests).toHaveLength(1);
  });

  it('without a code means no object only if the bucket answers', async () => {
    const uploads = '<ListMultipartUploadsResult><Bucket>b</Bucket><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>';
    const { store } = await cannedS3(answer(404), answer(200, uploads));
    expect(await store.headObject('k')).toBeUndefined();
  });

  it('without a code means bucket-missing if the bucket is missing', async () => {
    const { store } = await cannedS3(answer(404), answer(404, s3Error('NoSuchBucket')));
    await expectFailure('bucket-missing', store.headObject('k'));
  });

  it("by something that is not S3 does not mean 'no object'", async () => {
    const { store } = await cannedS3(answer(404, '<html></html>', { 'content-type': 'text/html' }));
    await expectFailure('refused', store.headObject('k'));
  });

  it.each([403, 500, 503])('is distinguished from %i', async (status) => {
    const { store } = await cannedS3(answer(status));
    await expectFailure(status === 403 ? 'refused' : 'unavailable', store.headObject('k'));
  });
});

describe('listings', () => {
  it('that do not advance are refused', async () => {
    const parts =
      '<ListPartsResult><UploadId>u</UploadId><IsTruncated>true</IsTruncated><NextPartNumberMarker>0</NextPartNumberMarker></ListPartsResult>';
    const uploads =
      '<ListMultipartUploadsResult><Bucket>b</Bucket><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker></ListMultipartUploadsResult>';
    await expectFailure('refused', (await cannedS3(answer(200, parts))).store.listParts('k', 'u'));
    await expectFailure('refused', (await cannedS3(answer(200, uploads))).store.listMultipartUploads('k'));
  });

  it('of uploads leave out other keys with the same prefix, which S3 lists too, and follow its pages', async () => {
    const one = (key: string, id: string) =>
      `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>`;
    const page = (truncated: boolean, body: string) =>
      `<ListMultipartUploadsResult><Bucket>b</Bucket><EncodingType>url</EncodingType><IsTruncated>${truncated}</IsTruncated>${body}</ListMultipartUploadsResult>`;
    const { store, requests } = await cannedS3(
      answer(
        200,
        page(true, `<NextKeyMarker>a+b%2B</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>${one('a+b%2B', '1')}`),
      ),
      answer(200, page(false, one('a+b%2B', '2') + one('a+b%2Bc', '3'))),
    );
    expect((await store.listMultipartUploads('a b+')).map(({ uploadId }) => uploadId)).toEqual(['1', '2']);
    expect(requests[1]?.url).toContain('key-marker=a%20b%2B');
  });
});

describe('clocks that differ', () => {
  const skew = 20 * 60_000;
  const storeDate = () => ({ date: new Date(Date.now() + skew).toUTCString() });
  const part = { key: 'k', uploadId: 'u', partNumber: 1, contentLength: 1, expiresInSeconds: 60 };
  const tooSkewed = () => answer(403, s3Error('RequestTimeTooSkewed'), storeDate());

  function signedAt(amzDate: string | null | undefined): number {
    return Date.parse(String(amzDate).replace(/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/, '$1-$2-$3T$4:$5:$6Z'));
  }

  it('cost one repeat of a call that the object store refused for its time, even of Complete, because nothing was done', async () => {
    const { store, requests } = await cannedS3(tooSkewed(), answer(200, completed, storeDate()));
    await store.completeMultipartUpload(input);
    expect(requests).toHaveLength(2);
    expect(Math.abs(signedAt(String(requests[1]?.headers['x-amz-date'])) - Date.now() - skew)).toBeLessThan(30_000);
  });

  it('do not affect URLs, which are dated by the clock of the object store and end by ours', async () => {
    const uploads = '<ListMultipartUploadsResult><Bucket>b</Bucket></ListMultipartUploadsResult>';
    const { store } = await cannedS3(answer(200, uploads, storeDate()));
    await store.checkBucket();
    const { url, expiresAt } = await store.presignPart(part);
    const date = signedAt(new URL(url).searchParams.get('X-Amz-Date'));
    expect(Math.abs(date - Date.now() - skew)).toBeLessThan(30_000);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000);
  });
});
