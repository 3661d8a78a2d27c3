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
 * The user that the control plane is at MinIO, with the policy it needs and no other right: made, or made so again. Idempotent;
 * a control plane that runs with it notices nothing. @throws SetupError where the user would be root.
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
