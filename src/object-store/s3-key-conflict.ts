import { HeadObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import pLimit from 'p-limit';
import { parentsOf } from '../session/object-key.ts';
import { statusOf, toObjectStoreError } from './s3-errors.ts';

/** Bounds the load on the object store: a key may have dozens of segments. */
const LOOKUPS_AT_ONCE = 4;

/** Finds an object above or below the key, as `ObjectStore.findKeyConflict` describes. */
export async function findKeyConflict(calls: S3Client, bucket: string, key: string): Promise<string | undefined> {
  try {
    const lookUp = pLimit(LOOKUPS_AT_ONCE);
    const above = parentsOf(key).map((parent) =>
      lookUp(async () => ((await exists(calls, bucket, parent)) ? parent : undefined)),
    );
    const below = lookUp(() => firstBelow(calls, bucket, key));
    return (await Promise.all([...above, below])).find((conflicting) => conflicting !== undefined);
  } catch (error) {
    throw toObjectStoreError(error);
  }
}

async function exists(calls: S3Client, bucket: string, key: string): Promise<boolean> {
  try {
    await calls.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    return true;
  } catch (error) {
    // 403: the server's credentials do not cover a key so far up.
    if (statusOf(error) === 404 || statusOf(error) === 403) return false;
    throw error;
  }
}

async function firstBelow(calls: S3Client, bucket: string, key: string): Promise<string | undefined> {
  try {
    const page = await calls.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `${key}/`, MaxKeys: 1 }));
    return page.Contents?.[0]?.Key;
  } catch (error) {
    // Policies of older installations lack s3:ListBucket, which only this look-up needs.
    if (statusOf(error) === 403) return undefined;
    throw error;
  }
}
