/**
 * Prepares MinIO for the control plane, with the root key: creates the bucket, and the control plane's user with the policy it needs. Disables
 * users of earlier versions, whose ids everyone knows. compose.yaml runs it before each start of the control plane; it may be repeated.
 */
import { createBucket } from './minio/bucket.ts';
import { ensureControlPlaneAccount } from './minio/control-plane-account.ts';
import { disableFormerUsers } from './minio/former-users.ts';
import { refuseGuessableIds } from './minio/guessable-ids.ts';
import { SetupError } from './process/setup-error.ts';

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new SetupError(`${name} is not set`);
  return value;
}

async function main(): Promise<void> {
  const root = {
    endpoint: required('PARTWAY_S3_ENDPOINT'),
    region: required('PARTWAY_S3_REGION'),
    accessKeyId: required('MINIO_ROOT_USER'),
    secretAccessKey: required('MINIO_ROOT_PASSWORD'),
  };
  const bucket = required('PARTWAY_S3_BUCKET');
  const credentials = {
    accessKeyId: required('PARTWAY_S3_ACCESS_KEY_ID'),
    secretAccessKey: required('PARTWAY_S3_SECRET_ACCESS_KEY'),
  };
  const ids = { root: root.accessKeyId, user: credentials.accessKeyId };
  refuseGuessableIds(ids);
  const keyPrefix = process.env.PARTWAY_S3_KEY_PREFIX ?? '';
  await createBucket(root, bucket);
  await ensureControlPlaneAccount(root, { bucket, keyPrefix, credentials });
  process.stdout.write(`The bucket ${bucket} and the control plane's user are ready.\n`);
  for (const id of await disableFormerUsers(root, { bucket, keyPrefix, ids }))
    process.stdout.write(
      `MinIO's user "${id}" of an earlier version is disabled: a forged request in its name was tried and refused.\n`,
    );
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof SetupError ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
