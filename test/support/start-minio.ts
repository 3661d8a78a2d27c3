import type { TestProject } from 'vitest/node';
import type { S3Target } from '../../src/dev/minio/bucket.ts';
import { startMinio } from '../../src/dev/minio/minio.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The MinIO that all test files share. */
    minio: S3Target;
  }
}

/** Vitest's global setup: one real MinIO for the whole run, on temporary data. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const minio = await startMinio({ log: (line) => process.stderr.write(`${line}\n`) });
  const { endpoint, region, accessKeyId, secretAccessKey } = minio;
  provide('minio', { endpoint, region, accessKeyId, secretAccessKey });
  return () => minio.stop();
}
