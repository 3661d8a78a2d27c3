/** Makes the bucket that the control plane is configured for; in compose.yaml, before each start of the control plane. */
import { createBucket } from './bucket.ts';

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

await createBucket(
  {
    endpoint: required('PARTWAY_S3_ENDPOINT'),
    region: required('PARTWAY_S3_REGION'),
    accessKeyId: required('PARTWAY_S3_ACCESS_KEY_ID'),
    secretAccessKey: required('PARTWAY_S3_SECRET_ACCESS_KEY'),
  },
  required('PARTWAY_S3_BUCKET'),
);
