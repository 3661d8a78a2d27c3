import { randomBytes } from 'node:crypto';
import { DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import { createBucket, type S3Target } from '../../../src/dev/minio/bucket.ts';
import { ensureControlPlaneAccount } from '../../../src/dev/minio/control-plane-account.ts';
import { randomCredentials } from '../../../src/dev/minio/minio.ts';

/** Returns the MinIO that all test files share. Never kill it, and use only your own buckets; start another with startMinio() if you must. */
export function sharedMinio(): S3Target {
  return inject('minio');
}

/** Creates a bucket on the shared MinIO. */
export async function createTestBucket(): Promise<string> {
  const bucket = `test-${randomBytes(8).toString('hex')}`;
  await createBucket(sharedMinio(), bucket);
  return bucket;
}

/** Creates a user with the control plane's policy for the bucket, which need not exist; on the shared MinIO by default. */
export function createRestrictedUser(bucket: string, keyPrefix = '', root: S3Target = sharedMinio()): Promise<S3Target> {
  return ensureControlPlaneAccount(root, { bucket, keyPrefix, credentials: randomCredentials() });
}

/** Creates a bucket on the shared MinIO, and a user with exactly the rights there that a control plane needs. */
export async function createRestrictedBucket(keyPrefix = ''): Promise<{ bucket: string; user: S3Target }> {
  const bucket = await createTestBucket();
  return { bucket, user: await createRestrictedUser(bucket, keyPrefix) };
}

/** Removes a large object from the shared MinIO, which may keep its data in memory until the end of the run. */
export async function removeLargeObject(bucket: string, key: string): Promise<void> {
  const { endpoint, region, ...credentials } = sharedMinio();
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })).finally(() => client.destroy());
}
