import { randomBytes } from 'node:crypto';
import pLimit from 'p-limit';
import { describe, expect, it } from 'vitest';
import { createS3ObjectStore } from '../../src/object-store/s3.ts';
import { checksumOf, describeObjectStore, expectFailure } from '../suites/object-store.ts';
import { sendRequest } from '../support/network/send-request.ts';
import { createTestBucket, sharedMinio } from '../support/store/minio.ts';
import { anS3Store, aRestrictedS3Store, putObject, putPart, readAttributes, readObject } from '../support/store/s3-stores.ts';
import { startTurnClock } from '../support/time/turn-clock.ts';

describeObjectStore('S3 on MinIO', async () => {
  const store = await anS3Store();
  return {
    store,
    storeWithoutBucket: await anS3Store({ bucket: 'no-such-bucket' }),
    putPart: (key, uploadId, partNumber, bytes) => putPart(store, key, uploadId, partNumber, bytes),
    read: (key) => readObject(store.bucket, key),
    attributes: (key) => readAttributes(store.bucket, key),
  };
});

describeObjectStore("S3 on MinIO, by a user with the control plane's policy and URLs signed by sessions,", async () => {
  const store = await aRestrictedS3Store();
  return {
    store,
    storeWithoutBucket: await aRestrictedS3Store({ bucket: 'no-such-bucket' }),
    putPart: (key, uploadId, partNumber, bytes) => putPart(store, key, uploadId, partNumber, bytes),
    read: (key) => readObject(store.bucket, key),
    attributes: (key) => readAttributes(store.bucket, key),
  };
});

describe('keys that need care in a URL', () => {
  const oddKeys = [
    'spaces in name .mp4',
    ' at both ends ',
    'a+b',
    'ü/é/日本',
    'decomposed u\u0308',
    '😀',
    "it's (all) * right!",
    'new\nline and\ttab',
    'control \u0001 character',
    'back\\slash',
    'a%2Fb %41',
    'question?x=1&y=2',
    'hash#tag',
    'semi;colon:at@comma,$|^`[]{}<>"=~',
    `${'s'.repeat(255)}/${'t'.repeat(255)}`,
  ];

  it.each(oddKeys)('stores a file as %j from create to head', async (key) => {
    const store = await anS3Store();
    const bytes = Buffer.from(`bytes of ${key}`);
    const { uploadId } = await store.createMultipartUpload({
      key,
      contentType: null,
      contentDisposition: null,
      metadata: {},
      tags: {},
    });
    await putPart(store, key, uploadId, 1, bytes);
    expect(await store.listMultipartUploads(key)).toHaveLength(1);
    const parts = await store.listParts(key, uploadId);
    await store.completeMultipartUpload({ key, uploadId, parts, checksum: checksumOf(bytes), onlyIfAbsent: true });
    expect(await store.headObject(key)).toMatchObject({ size: bytes.length });
    expect(Buffer.from(await readObject(store.bucket, key)).equals(bytes)).toBe(true);
  });
});

describe('listings of many entries', () => {
  it('lists more than 1,000 parts once each, in one page or in many', async () => {
    const store = await anS3Store();
    const key = 'many-parts';
    const { uploadId } = await store.createMultipartUpload({
      key,
      contentType: null,
      contentDisposition: null,
      metadata: {},
      tags: {},
    });
    const limit = pLimit(16);
    const numbers = Array.from({ length: 1_003 }, (_, index) => index + 1);
    await Promise.all(numbers.map((partNumber) => limit(() => putPart(store, key, uploadId, partNumber, Buffer.from('x')))));
    const paged = await anS3Store({ bucket: store.bucket, pageSize: 250 });
    expect((await store.listParts(key, uploadId)).map((part) => part.partNumber)).toEqual(numbers);
    expect((await paged.listParts(key, uploadId)).map((part) => part.partNumber)).toEqual(numbers);
  });

  it('lists all uploads of a key in pages', async () => {
    const store = await anS3Store({ pageSize: 2 });
    const ids: string[] = [];
    for (let count = 0; count < 5; count++) {
      ids.push(
        (
          await store.createMultipartUpload({
            key: 'one key',
            contentType: null,
            contentDisposition: null,
            metadata: {},
            tags: {},
          })
        ).uploadId,
      );
    }
    const listed = await store.listMultipartUploads('one key');
    expect(listed.map((upload) => upload.uploadId).toSorted()).toEqual(ids.toSorted());
  });
});

describe('two endpoints', () => {
  const part = { key: 'a key', uploadId: 'u', partNumber: 1, contentLength: 1, expiresInSeconds: 60 };

  it('signs URLs for the public host and calls the internal one', async () => {
    const store = await anS3Store({ publicEndpoint: 'https://files.example.org' });
    await store.checkBucket();
    const { url } = await store.presignPart(part);
    expect(url).toMatch(new RegExp(`^https://files\\.example\\.org/${store.bucket}/a%20key\\?`));
  });

  it('names the public port, also after a trailing slash', async () => {
    const store = await anS3Store({ publicEndpoint: 'http://[::1]:9000/' });
    expect((await store.presignPart(part)).url).toMatch(new RegExp(`^http://\\[::1\\]:9000/${store.bucket}/a%20key\\?`));
  });

  it('signs the path of a public endpoint as part of the URL', async () => {
    // An object store that sees /bucket/sub/… takes "sub" for the start of the key: so this proves the whole path is signed.
    const bucket = await createTestBucket();
    const store = await anS3Store({ bucket });
    const { uploadId } = await store.createMultipartUpload({
      key: 'sub/file',
      contentType: null,
      contentDisposition: null,
      metadata: {},
      tags: {},
    });
    const { endpoint, ...credentials } = sharedMinio();
    const below = createS3ObjectStore({ ...credentials, endpoint, publicEndpoint: `${endpoint}/${bucket}`, bucket: 'sub' });
    await putPart(below, 'file', uploadId, 1, Buffer.from('hello'));
    expect(await store.listParts('sub/file', uploadId)).toHaveLength(1);
  });

  it('makes URLs that the object store accepts only for the public host', async () => {
    const { endpoint } = sharedMinio();
    const store = await anS3Store({ publicEndpoint: endpoint.replace('127.0.0.1', 'localhost') });
    const { uploadId } = await store.createMultipartUpload({
      key: 'k',
      contentType: null,
      contentDisposition: null,
      metadata: {},
      tags: {},
    });
    const { url, headers } = await store.presignPart({ ...part, key: 'k', uploadId, checksum: checksumOf(Buffer.from('x')) });
    const asSigned = { ...headers, host: new URL(url).host };
    const target = url.replace('localhost', '127.0.0.1');
    expect(await sendRequest('PUT', target, headers, Buffer.from('x'))).toMatchObject({
      status: 403,
      code: 'SignatureDoesNotMatch',
    });
    expect(await sendRequest('PUT', target, asSigned, Buffer.from('x'))).toMatchObject({ status: 200 });
  });
});

describe('an object store that refuses our credentials', () => {
  const secrets = { accessKeyId: 'no-such-key', secretAccessKey: randomBytes(20).toString('hex') };

  it('refuses a wrong secret, and the message has no key material', async () => {
    const store = await anS3Store({ secretAccessKey: secrets.secretAccessKey });
    const error = await store.checkBucket().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ failure: 'refused', message: expect.stringMatching(/^SignatureDoesNotMatch \(403\): /) });
    expect(String(error)).not.toContain(secrets.secretAccessKey);
    expect(String(error)).not.toContain('http');
  });

  it('refuses an unknown key in every call, and never answers "not found"', async () => {
    const store = await anS3Store(secrets);
    await expectFailure('refused', store.checkBucket());
    await expectFailure('refused', store.headObject('k'));
    await expectFailure(
      'refused',
      store.createMultipartUpload({ key: 'k', contentType: null, contentDisposition: null, metadata: {}, tags: {} }),
    );
    await expectFailure('refused', store.listParts('k', 'u'));
    await expectFailure('refused', store.abortMultipartUpload('k', 'u'));
  });

  it('refuses metadata that is too large', async () => {
    const store = await anS3Store();
    const metadata = { long: 'x'.repeat(3_000) };
    await expectFailure(
      'refused',
      store.createMultipartUpload({ key: 'k', contentType: null, contentDisposition: null, metadata, tags: {} }),
    );
  });

  it('is soon unavailable if nothing listens', async () => {
    const store = await anS3Store({ endpoint: 'http://127.0.0.1:1', bucket: 'b' });
    const elapsedMs = startTurnClock();
    await expectFailure('unavailable', store.checkBucket());
    await expectFailure('unavailable', store.headObject('k'));
    expect(elapsedMs()).toBeLessThan(5_000);
  });
});

it('replaces an object without a full checksum by one that has it', async () => {
  const store = await anS3Store();
  await putObject(store, 'k', Buffer.from('one'));
  await putObject(store, 'k', Buffer.from('two'));
  expect(await store.headObject('k')).toMatchObject({ checksum: checksumOf(Buffer.from('two')) });
});
