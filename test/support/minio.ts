import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { createBucket, type S3Target } from '../../src/dev/bucket.ts';

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
