import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Target } from '../../../src/dev/minio/bucket.ts';

/** SHA-256 of a file's bytes. */
export async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

/** SHA-256 of an object's bytes, downloaded whole: what anybody would get. */
export async function hashOfObject({ endpoint, region, ...credentials }: S3Target, bucket: string, key: string): Promise<string> {
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const hash = createHash('sha256');
    await pipeline(Body as NodeJS.ReadableStream, hash);
    return hash.digest('hex');
  } finally {
    client.destroy();
  }
}

/** A seed for a test's random decisions: printed by whoever uses it, so that a failure can be run again (PARTWAY_TEST_SEED). */
export function testSeed(): number {
  const given = process.env.PARTWAY_TEST_SEED;
  return given === undefined ? randomBytes(4).readUInt32BE() : Number(given);
}
