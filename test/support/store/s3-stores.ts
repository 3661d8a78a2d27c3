import { GetObjectCommand, GetObjectTaggingCommand, HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { createS3ObjectStore, type S3ObjectStoreOptions } from '../../../src/object-store/s3.ts';
import { checksumOf, type ObjectAttributes } from '../../suites/object-store.ts';
import { sendRequest } from '../network/send-request.ts';
import { createRestrictedUser, createTestBucket, sharedMinio } from './minio.ts';

export type S3Store = ReturnType<typeof createS3ObjectStore>;

/** Creates an adapter for a bucket of the shared MinIO; a new bucket by default. */
export async function anS3Store(changes: Partial<S3ObjectStoreOptions> = {}): Promise<S3Store> {
  const bucket = changes.bucket ?? (await createTestBucket());
  return createS3ObjectStore({ ...sharedMinio(), publicEndpoint: sharedMinio().endpoint, ...changes, bucket });
}

/**
 * Creates an adapter as a user with the control plane's policy and no other rights; on a new bucket, with part URLs signed by STS
 * sessions, by default.
 */
export async function aRestrictedS3Store(changes: Partial<S3ObjectStoreOptions> = {}): Promise<S3Store> {
  const bucket = changes.bucket ?? (await createTestBucket());
  const user = await createRestrictedUser(bucket, changes.keyPrefix);
  return anS3Store({ ...user, signing: { kind: 'sts', urlTtlSeconds: 3_600 }, ...changes, bucket });
}

/** Presigns and puts a part, as server and client do, and returns its ETag. */
export async function putPart(
  store: S3Store,
  key: string,
  uploadId: string,
  partNumber: number,
  bytes: Uint8Array,
): Promise<string> {
  const checksum = checksumOf(bytes);
  const { url, headers } = await store.presignPart({
    key,
    uploadId,
    partNumber,
    contentLength: bytes.length,
    checksum,
    expiresInSeconds: 60,
  });
  const { status, code, headers: answered } = await sendRequest('PUT', url, headers, bytes);
  if (status !== 200) throw new Error(`PUT of part ${partNumber} answered ${status} ${code}`);
  return String(answered.etag);
}

/** Stores an object of one part. */
export async function putObject(store: S3Store, key: string, bytes: Uint8Array): Promise<void> {
  const { uploadId } = await store.createMultipartUpload({
    key,
    contentType: null,
    contentDisposition: null,
    metadata: {},
    tags: {},
  });
  await putPart(store, key, uploadId, 1, bytes);
  const parts = await store.listParts(key, uploadId);
  await store.completeMultipartUpload({ key, uploadId, parts, checksum: checksumOf(bytes), onlyIfAbsent: false });
}

export async function readObject(bucket: string, key: string): Promise<Uint8Array> {
  return withClient(async (client) => {
    const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return (await body?.transformToByteArray()) ?? new Uint8Array();
  });
}

export async function readAttributes(bucket: string, key: string): Promise<ObjectAttributes> {
  return withClient(async (client) => {
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    const { TagSet: tags = [] } = await client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: key }));
    return {
      contentType: head.ContentType ?? null,
      contentDisposition: head.ContentDisposition ?? null,
      tags: Object.fromEntries(tags.map(({ Key, Value }) => [Key, Value])),
    };
  });
}

/** Runs `work` with a client of the root key, for access that partway itself does not have. */
export async function withClient<T>(work: (client: S3Client) => Promise<T>): Promise<T> {
  const { endpoint, region, accessKeyId, secretAccessKey } = sharedMinio();
  const client = new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}
