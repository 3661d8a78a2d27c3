import type { TestProject } from 'vitest/node';
import type { S3Target } from '../../src/dev/minio/bucket.ts';
import { startMinio as start } from '../../src/dev/minio/minio.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The MinIO that all test files share. */
    minio: S3Target;
  }
}

/** Starts one real MinIO for the whole run, on temporary data. Returns a function that stops it. */
export async function startMinio({ provide }: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  const minio = await start({ log: (line) => process.stderr.write(`${line}\n`) });
  const { endpoint, region, accessKeyId, secretAccessKey } = minio;
  provide('minio', { endpoint, region, accessKeyId, secretAccessKey });
  return () => minio.stop();
}
