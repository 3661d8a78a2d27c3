import { randomBytes } from 'node:crypto';
import { DeleteObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { inject } from 'vitest';
import { createBucket, type S3Target } from '../../../src/dev/minio/bucket.ts';
import { ensureControlPlaneAccount } from '../../../src/dev/minio/control-plane-account.ts';
import { randomCredentials } from '../../../src/dev/minio/minio.ts';

/** The MinIO that all test files share: never kill it, and keep to buckets of your own. For the rest, start one with startMinio(). */
export function sharedMinio(): S3Target {
  return inject('minio');
}

/** A new, empty bucket on the shared MinIO. */
export async function createTestBucket(): Promise<string> {
  const bucket = `test-${randomBytes(8).toString('hex')}`;
  await createBucket(sharedMinio(), bucket);
  return bucket;
}

/** A user of that MinIO (the shared one unless given) with the control plane's policy for the bucket, which need not exist. */
export function createRestrictedUser(bucket: string, keyPrefix = '', root: S3Target = sharedMinio()): Promise<S3Target> {
  return ensureControlPlaneAccount(root, { bucket, keyPrefix, credentials: randomCredentials() });
}

/** A new, empty bucket on the shared MinIO, and a user who may do there what a control plane must, and nothing else. */
export async function createRestrictedBucket(keyPrefix = ''): Promise<{ bucket: string; user: S3Target }> {
  const bucket = await createTestBucket();
  return { bucket, user: await createRestrictedUser(bucket, keyPrefix) };
}

/** Removes an object of a gigabyte from the shared MinIO, whose data may be in memory until the end of the run. */
export async function removeLargeObject(bucket: string, key: string): Promise<void> {
  const { endpoint, region, ...credentials } = sharedMinio();
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })).finally(() => client.destroy());
}
