import { randomUUID } from 'node:crypto';
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { MakeAgent } from '../outbound/direct-agent.ts';
import type { SigningReport } from './port.ts';
import { createCalls } from './s3-clients.ts';
import { codeOf, toObjectStoreError } from './s3-errors.ts';
import type { SigningCredentials } from './signing-credentials.ts';

interface BucketLocation {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly keyPrefix: string;
  readonly makeAgent?: MakeAgent | undefined;
}

/**
 * Tries, with the credentials that sign URLs, the requests that must not work. Only within the key prefix: rights elsewhere cannot be
 * found without knowing where. MinIO refuses to read a missing key only if the right is missing; S3 refuses it also if the bucket may
 * not be listed, so `canRead: false` proves less there.
 */
export async function tryRights(
  credentials: SigningCredentials,
  { endpoint, region, bucket, keyPrefix, makeAgent }: BucketLocation,
): Promise<Pick<SigningReport, 'canRead' | 'canList' | 'canDelete'>> {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const client = createCalls({
    endpoint,
    region,
    accessKeyId,
    secretAccessKey,
    makeAgent,
    ...(sessionToken && { sessionToken }),
  });
  // There is no such object, so nothing is read or deleted.
  const object = { Bucket: bucket, Key: `${keyPrefix}partway-signing-${randomUUID()}` };
  try {
    const [canRead, canList, canDelete] = await Promise.all([
      isAllowed(client.send(new GetObjectCommand(object))),
      isAllowed(client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: keyPrefix, MaxKeys: 1 }))),
      isAllowed(client.send(new DeleteObjectCommand(object))),
    ]);
    return { canRead, canList, canDelete };
  } finally {
    client.destroy();
  }
}

/** Counts only the code for a missing right as "no": credentials that the object store does not know prove nothing. */
async function isAllowed(attempt: Promise<unknown>): Promise<boolean> {
  try {
    await attempt;
    return true;
  } catch (error) {
    if (codeOf(error) === 'NoSuchKey') return true;
    if (codeOf(error) === 'AccessDenied') return false;
    throw toObjectStoreError(error);
  }
}
