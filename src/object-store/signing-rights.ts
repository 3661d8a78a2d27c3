import { randomUUID } from 'node:crypto';
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { MakeAgent } from '../outbound/direct-agent.ts';
import type { SigningReport } from './port.ts';
import { createCalls } from './s3-clients.ts';
import { codeOf, toObjectStoreError } from './s3-errors.ts';
import type { SigningCredentials } from './signing-credentials.ts';

interface Place {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly keyPrefix: string;
  readonly makeAgent?: MakeAgent | undefined;
}

/**
 * Tries what URLs must not be good for, with the credentials that sign them, within the key prefix: rights elsewhere cannot be
 * found out without knowing where. MinIO refuses to read a key that is not there only for want of the right; S3 also where
 * the bucket may not be listed, so there `canRead: false` proves less.
 */
export async function tryRights(
  credentials: SigningCredentials,
  { endpoint, region, bucket, keyPrefix, makeAgent }: Place,
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
  // Of no object: what is read and deleted here is not there.
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

/** Only the word for a missing right counts as "no": credentials that the store does not know prove nothing. */
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
