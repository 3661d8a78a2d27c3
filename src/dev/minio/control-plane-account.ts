import { SetupError } from '../process/setup-error.ts';
import { minioAdmin } from './admin.ts';
import type { S3Target } from './bucket.ts';
import { controlPlanePolicy } from './policy.ts';
import type { MinioCredentials } from './server.ts';

export interface ControlPlaneAccount {
  readonly bucket: string;
  readonly keyPrefix?: string;
  readonly credentials: MinioCredentials;
}

/**
 * Creates or updates the control plane's user at MinIO, with the policy that it needs and no other right. Idempotent; a running control plane
 * that uses it notices nothing. @throws SetupError if the user would be root.
 */
export async function ensureControlPlaneAccount(root: S3Target, account: ControlPlaneAccount): Promise<S3Target> {
  const { bucket, keyPrefix, credentials } = account;
  const { accessKeyId, secretAccessKey } = credentials;
  if (accessKeyId === root.accessKeyId) {
    throw new SetupError(`The control plane cannot be MinIO's root user, ${accessKeyId}: give it an access key of its own.`);
  }
  const admin = minioAdmin(root);
  const policyName = `partway-${accessKeyId}`;
  await admin.putPolicy(policyName, controlPlanePolicy(bucket, keyPrefix));
  await admin.putUser(credentials);
  await admin.attachPolicy(policyName, accessKeyId);
  return { endpoint: root.endpoint, region: root.region, accessKeyId, secretAccessKey };
}
