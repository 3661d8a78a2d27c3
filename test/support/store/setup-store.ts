import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import type { S3Target } from '../../../src/dev/minio/bucket.ts';
import type { MinioCredentials } from '../../../src/dev/minio/server.ts';

/** Returns a random id, as `openssl rand -hex 10` makes it. */
export function anUnguessableId(): string {
  return randomBytes(10).toString('hex');
}

export function aSecret(): string {
  return randomBytes(20).toString('hex');
}

/** Runs the service `setup` of compose.yaml. @returns its stdout, or its exit code and stderr if the code is not 0. */
export function runSetup(root: S3Target, user: MinioCredentials, bucket: string): Promise<string> {
  const env = {
    MINIO_ROOT_USER: root.accessKeyId,
    MINIO_ROOT_PASSWORD: root.secretAccessKey,
    PARTWAY_S3_ENDPOINT: root.endpoint,
    PARTWAY_S3_REGION: root.region,
    PARTWAY_S3_BUCKET: bucket,
    PARTWAY_S3_ACCESS_KEY_ID: user.accessKeyId,
    PARTWAY_S3_SECRET_ACCESS_KEY: user.secretAccessKey,
  };
  return promisify(execFile)(process.execPath, [resolve('dist/dev/setup-store.js')], { env }).then(
    ({ stdout }) => stdout,
    ({ code, stderr }: { code: number; stderr: string }) => `${code}: ${stderr}`,
  );
}
