import { CreateMultipartUploadCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { minioAdmin } from '../../src/dev/minio/admin.ts';
import type { S3Target } from '../../src/dev/minio/bucket.ts';
import { randomCredentials } from '../../src/dev/minio/minio.ts';
import type { S3ObjectStoreOptions } from '../../src/object-store/s3.ts';
import { sessionPolicy } from '../../src/object-store/sts-credentials.ts';
import { checksumOf, expectFailure } from '../suites/object-store.ts';
import { sendRequest } from '../support/network/send-request.ts';
import { answer, cannedS3With, s3Error } from '../support/store/canned-s3.ts';
import { createRestrictedUser, createTestBucket, sharedMinio } from '../support/store/minio.ts';
import { anS3Store, aRestrictedS3Store, putObject, putPart, type S3Store } from '../support/store/s3-stores.ts';

const bytes = Buffer.from('these bytes and no others');
const noMetadata = { contentType: null, contentDisposition: null, metadata: {}, tags: {} };
const STS = { kind: 'sts', urlTtlSeconds: 3_600 } as const;

/** A user that may only put under the prefix, as an administrator creates it for PARTWAY_S3_SIGNING_ACCESS_KEY_ID. */
async function putOnlyKey(bucket: string, keyPrefix = ''): Promise<S3ObjectStoreOptions['signing']> {
  const admin = minioAdmin(sharedMinio());
  const credentials = randomCredentials();
  await admin.putPolicy(credentials.accessKeyId, sessionPolicy({ bucket, keyPrefix }));
  await admin.putUser(credentials);
  await admin.attachPolicy(credentials.accessKeyId, credentials.accessKeyId);
  return { kind: 'key', ...credentials };
}

async function aStore(kind: 'sts' | 'key', changes: Partial<S3ObjectStoreOptions> = {}): Promise<S3Store> {
  const bucket = await createTestBucket();
  const signing = kind === 'sts' ? STS : await putOnlyKey(bucket, changes.keyPrefix);
  const store = await aRestrictedS3Store({ bucket, ...(signing && { signing }), ...changes });
  onTestFinished(() => store.close());
  return store;
}

/** An upload without CRC32, as partway once created them: MinIO then accepts a copy as a part. */
async function uploadWithoutAlgorithm(bucket: string, key: string): Promise<string> {
  const { endpoint, region, accessKeyId, secretAccessKey } = sharedMinio();
  const client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  onTestFinished(() => client.destroy());
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }));
  return UploadId ?? '';
}

/** Tries to make the object store copy `secret` into a part of `key`. */
async function tryToCopy(store: S3Store, key: string, secret: string) {
  const uploadId = await uploadWithoutAlgorithm(store.bucket, key);
  const part = { key, uploadId, partNumber: 1, contentLength: 0, expiresInSeconds: 60 };
  const { url, headers } = await store.presignPart(part);
  return sendRequest('PUT', url, { ...headers, 'x-amz-copy-source': `/${store.bucket}/${secret}` });
}

describe.each(['sts', 'key'] as const)('part URLs signed by credentials that can only put (%s)', (kind) => {
  it('accept parts, and the control plane completes an object of them', async () => {
    const store = await aStore(kind);
    await putObject(store, 'file', bytes);
    expect(await store.headObject('file')).toMatchObject({ size: bytes.length, checksum: checksumOf(bytes) });
  });

  it('copy nothing into a part, even of an upload without a checksum algorithm', async () => {
    const store = await aStore(kind);
    await putObject(store, 'secret', bytes);
    const refusal = await tryToCopy(store, 'file', 'secret');
    expect(refusal).toMatchObject({ status: 403, code: 'AccessDenied' });
    // Signed by root, the same request does copy.
    const byRoot = await tryToCopy(await anS3Store({ bucket: store.bucket }), 'file', 'secret');
    expect(byRoot.body.toString()).toContain('CopyPartResult');
  });

  it('are signed by credentials that can neither read, list nor delete, as trying shows', async () => {
    const store = await aStore(kind, { keyPrefix: 'team/' });
    expect(await store.signing()).toEqual({
      credentials: kind,
      expiresAt: kind === 'key' ? null : expect.any(Number),
      canRead: false,
      canList: false,
      canDelete: false,
    });
  });

  it('reach no key outside the prefix', async () => {
    const store = await aStore(kind, { keyPrefix: 'team/' });
    const outside = { key: 'other/file', uploadId: await uploadWithoutAlgorithm(store.bucket, 'other/file'), partNumber: 1 };
    const { url, headers } = await store.presignPart({ ...outside, contentLength: bytes.length, expiresInSeconds: 60 });
    expect(await sendRequest('PUT', url, headers, bytes)).toMatchObject({ status: 403, code: 'AccessDenied' });
    await putObject(store, 'team/file', bytes);
  });
});

describe('a signing key with rights that it should not have', () => {
  it('is detected', async () => {
    const store = await anS3Store();
    expect(await store.signing()).toEqual({
      credentials: 'shared',
      expiresAt: null,
      canRead: true,
      canList: true,
      canDelete: true,
    });
  });

  it('is detected for each right, even within the prefix only', async () => {
    const bucket = await createTestBucket();
    const { accessKeyId, secretAccessKey } = await createRestrictedUser(bucket, 'team/');
    const store = await aRestrictedS3Store({
      bucket,
      keyPrefix: 'team/',
      signing: { kind: 'key', accessKeyId, secretAccessKey },
    });
    expect(await store.signing()).toMatchObject({ credentials: 'key', canRead: true, canList: true, canDelete: false });
  });

  it('is reported as refused if the object store does not know it', async () => {
    const store = await anS3Store({ signing: { kind: 'key', ...randomCredentials() } });
    await expectFailure('refused', store.signing());
  });
});

describe('the life of a URL that a session signs', () => {
  const part = { key: 'k', uploadId: 'u', partNumber: 1, contentLength: 1 };

  it('is the requested one if the session lasts longer', async () => {
    const store = await aStore('sts');
    const { url, expiresAt } = await store.presignPart({ ...part, expiresInSeconds: 3_600 });
    expect(new URL(url).searchParams.get('X-Amz-Expires')).toBe('3600');
    expect(expiresAt).toBeGreaterThan(Date.now() + 3_590_000);
  });

  /**
   * Measured on MinIO, with a session of 900 s and a URL of two hours: 200 three seconds before the end of the session, 403
   * InvalidAccessKeyId one second after it.
   */
  it('ends with the session, and the answer says so', async () => {
    let at = Date.now();
    const store = await aStore('sts', { now: () => at, signing: { kind: 'sts', urlTtlSeconds: 60 } });
    const { expiresAt: end } = await store.signing();
    expect(end).toBeGreaterThan(at + 890_000);
    expect(end).toBeLessThanOrEqual(at + 900_000);
    for (const ms of [0, 1, 333_333, 700_500]) {
      at += ms;
      const { url, expiresAt } = await store.presignPart({ ...part, expiresInSeconds: 86_400 });
      const { expiresAt: now } = await store.signing();
      expect(expiresAt).toBeLessThanOrEqual(now ?? 0);
      expect(expiresAt).toBeGreaterThan((now ?? 0) - 2_000);
      const seconds = Number(new URL(url).searchParams.get('X-Amz-Expires'));
      expect(Math.floor(at / 1000) * 1000 + seconds * 1000).toBe(expiresAt);
    }
  });

  it('is whole again with the next session, as the clock moves on', async () => {
    let at = Date.now();
    const store = await aStore('sts', { now: () => at });
    const tokenOf = (url: string) => new URL(url).searchParams.get('X-Amz-Security-Token');
    const first = tokenOf((await store.presignPart({ ...part, expiresInSeconds: 60 })).url);
    expect(tokenOf((await store.presignPart({ ...part, expiresInSeconds: 60 })).url)).toBe(first);
    at += 61 * 60_000;
    await store.presignPart({ ...part, expiresInSeconds: 60 });
    await expect.poll(async () => tokenOf((await store.presignPart({ ...part, expiresInSeconds: 60 })).url)).not.toBe(first);
  });
});

describe('a user that the administrator disables', () => {
  async function aUser(bucket: string): Promise<{ user: S3Target; setEnabled(enabled: boolean): Promise<void> }> {
    const user = await createRestrictedUser(bucket);
    return { user, setEnabled: (enabled) => minioAdmin(sharedMinio()).setUserEnabled(user.accessKeyId, enabled) };
  }

  it('ends its existing URLs at once', async () => {
    const bucket = await createTestBucket();
    const { user, setEnabled } = await aUser(bucket);
    const store = await anS3Store({ ...user, bucket, signing: STS });
    const { uploadId } = await store.createMultipartUpload({ key: 'k', ...noMetadata });
    const checksum = checksumOf(bytes);
    const part = { key: 'k', uploadId, partNumber: 1, contentLength: bytes.length, checksum, expiresInSeconds: 60 };
    const { url, headers } = await store.presignPart(part);
    await setEnabled(false);
    expect(await sendRequest('PUT', url, headers, bytes)).toMatchObject({ status: 403, code: 'AccessDenied' });
    await setEnabled(true);
    expect(await sendRequest('PUT', url, headers, bytes)).toMatchObject({ status: 200 });
  });

  it.each(['auto', 'sts'] as const)('gets no session and no other signature (%s) until it is enabled again', async (kind) => {
    const bucket = await createTestBucket();
    const { user, setEnabled } = await aUser(bucket);
    const store = await anS3Store({ ...user, bucket, signing: { kind, urlTtlSeconds: 60 } });
    await setEnabled(false);
    await expectFailure('refused', putPart(store, 'k', 'u', 1, bytes));
    await setEnabled(true);
    expect(await store.signing()).toMatchObject({ credentials: 'sts' });
  });

  it('keeps its sessions when it is set up again, as at every start', async () => {
    const bucket = await createTestBucket();
    const user = await createRestrictedUser(bucket);
    const store = await anS3Store({ ...user, bucket, signing: STS });
    const before = await store.signing();
    const admin = minioAdmin(sharedMinio());
    await admin.putUser(user);
    await admin.attachPolicy(`partway-${user.accessKeyId}`, user.accessKeyId);
    await putObject(store, 'k', bytes);
    expect((await store.signing()).expiresAt).toBe(before.expiresAt);
  });
});

describe("the object store's answer to AssumeRole", () => {
  const uploads = answer(200, '<ListMultipartUploadsResult><Bucket>b</Bucket></ListMultipartUploadsResult>');
  const part = { key: 'k', uploadId: 'u', partNumber: 1, contentLength: 1, expiresInSeconds: 60 };
  const stsError = (code: string) =>
    `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type></Type><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`;

  it.each([
    ['AccessDenied', answer(403, stsError('AccessDenied'))],
    ['InvalidAction', answer(400, stsError('InvalidAction'))],
    ['NotImplemented as an error of S3', answer(501, s3Error('NotImplemented'))],
    ['MethodNotAllowed as an error of S3', answer(405, s3Error('MethodNotAllowed'))],
    ['a page with status 404', answer(404, '<html></html>', { 'content-type': 'text/html' })],
  ])('%s means that there are no sessions', async (_, handler) => {
    const warnings: object[] = [];
    const signing = { kind: 'auto', urlTtlSeconds: 60 } as const;
    const log = { warn: (fields: object) => warnings.push(fields) };
    const { store } = await cannedS3With({ signing, log }, handler, uploads);
    expect((await store.presignPart(part)).url).toContain('X-Amz-Credential=AKIDEXAMPLE');
    expect(warnings).toHaveLength(1);
    expect(JSON.stringify(warnings)).not.toContain('secret-example');
  });

  it.each([
    ['an empty 503', answer(503, '')],
    ['InternalError', answer(500, stsError('InternalError'))],
    ['a page with status 200', answer(200, '<html></html>', { 'content-type': 'text/html' })],
  ])('%s means that the object store is unavailable', async (_, handler) => {
    const { store } = await cannedS3With(
      { signing: { kind: 'auto', urlTtlSeconds: 60 } },
      handler,
      handler,
      handler,
      handler,
      uploads,
    );
    await expectFailure('unavailable', store.presignPart(part));
    await expectFailure('unavailable', store.checkSigning());
  });

  it('is read by the clock of the object store: the life of the session counts from the answer', async () => {
    const hourAhead = Date.now() + 3_600_000;
    const given = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
      <AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
      <Expiration>${new Date(hourAhead + 600_000).toISOString()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`;
    const { store } = await cannedS3With({ signing: STS }, answer(200, given, { date: new Date(hourAhead).toUTCString() }));
    const { expiresAt } = await store.presignPart({ ...part, expiresInSeconds: 3_600 });
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 600_000);
    expect(expiresAt).toBeGreaterThan(Date.now() + 590_000);
  });
});

it('a session is obtained from an object store whose clock differs by more than it tolerates', async () => {
  const store = await aStore('sts');
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 60_000 });
  onTestFinished(() => void vi.useRealTimers());
  expect(await store.signing()).toMatchObject({ credentials: 'sts', canRead: false });
  await putObject(store, 'k', bytes);
});
