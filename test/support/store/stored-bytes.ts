import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Target } from '../../../src/dev/minio/bucket.ts';

/** Returns the SHA-256 of a file's bytes. */
export async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

/** Downloads an object as any reader would, and returns the SHA-256 of its bytes. */
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

/** Returns a seed for random decisions. Its caller prints it, so that a failed test can be repeated with PARTWAY_TEST_SEED. */
export function testSeed(): number {
  const given = process.env.PARTWAY_TEST_SEED;
  return given === undefined ? randomBytes(4).readUInt32BE() : Number(given);
}
