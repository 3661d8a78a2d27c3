import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import type { Instant } from '../session/session.ts';
import { ObjectStoreError } from './port.ts';
import { requestHandler, type S3Account } from './s3-clients.ts';
import { noteConnectionErrors } from './s3-connection-errors.ts';
import { toObjectStoreError } from './s3-errors.ts';
import type { SigningSession } from './signing-credentials.ts';

/** The protocol requires both; MinIO ignores them. */
const ROLE_ARN = 'arn:aws:iam::000000000000:role/partway';
const SESSION_NAME = 'partway';

export interface SessionRights {
  readonly bucket: string;
  readonly keyPrefix: string;
}

/**
 * Obtains sessions that can put under the prefix and nothing else, whatever the account may do. URLs that a session signed end with it,
 * and do not work while the account is disabled; a new secret of the account does not end them (measured on MinIO).
 */
export function createAssumeRole(
  { endpoint, region, accessKeyId, secretAccessKey, makeAgent }: S3Account,
  rights: SessionRights,
  now: () => Instant,
) {
  const client = new STSClient({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    // If the clocks differ, the second attempt uses the object store's time.
    maxAttempts: 2,
    requestHandler: requestHandler({ endpoint, makeAgent }),
  });
  // Stacks differ in their types by the commands of their client.
  noteConnectionErrors(client.middlewareStack as never);

  async function assumeRole(seconds: number): Promise<SigningSession> {
    const command = new AssumeRoleCommand({
      RoleArn: ROLE_ARN,
      RoleSessionName: SESSION_NAME,
      DurationSeconds: seconds,
      Policy: JSON.stringify(sessionPolicy(rights)),
    });
    let storeDate: number | undefined;
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        storeDate = Date.parse((result.response as { headers: Record<string, string> }).headers.date ?? '');
        return result;
      },
      { step: 'deserialize', priority: 'high', override: true, name: 'readStoreDate' },
    );
    const askedAt = now();
    const { Credentials: given } = await client.send(command).catch((error: unknown) => {
      throw toObjectStoreError(error);
    });
    if (!given?.AccessKeyId || !given.SecretAccessKey || !given.SessionToken || !given.Expiration) {
      throw new ObjectStoreError('unavailable', "the object store's answer to AssumeRole is not that of STS");
    }
    return {
      kind: 'sts',
      accessKeyId: given.AccessKeyId,
      secretAccessKey: given.SecretAccessKey,
      sessionToken: given.SessionToken,
      expiresAt: askedAt + lifetime(given.Expiration.getTime(), storeDate, seconds),
    };
  }

  return { assumeRole, close: () => client.destroy() };
}

/**
 * Returns the life of the session in milliseconds, counted from the object store's answer, because the session ends by that clock. Both
 * instants are cut to whole seconds. An object store may give less than was requested.
 */
function lifetime(endsAt: number, storeDate: number | undefined, seconds: number): number {
  const asked = seconds * 1000;
  const given = storeDate === undefined || Number.isNaN(storeDate) ? asked : endsAt - storeDate;
  return Math.min(asked, given) - 1000;
}

/**
 * Allows PutObject only to requests that are signed in the query, as part URLs are. The condition refuses requests whose signature MinIO
 * does not check (CVE-2026-41145, CVE-2026-40344): their `s3:authType` is empty (measured).
 */
export function sessionPolicy({ bucket, keyPrefix }: SessionRights) {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['s3:PutObject'],
        Resource: [`arn:aws:s3:::${bucket}/${keyPrefix}*`],
        Condition: { StringEquals: { 's3:authType': ['REST-QUERY-STRING'] } },
      },
    ],
  } as const;
}
