import type { Machine } from '../process/user-folders.ts';
import type { Log } from './build.ts';

export interface MinioCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** All that one MinIO needs in order to come up the same again. */
export interface MinioSite {
  readonly dataDir: string;
  readonly port: number;
  readonly credentials: MinioCredentials;
  /** MinIO's own settings, MINIO_…. */
  readonly settings: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly log: Log;
}

/** A MinIO that serves requests. */
export interface MinioServer {
  /** Undefined where it is not a process of ours. */
  readonly pid: number | undefined;
  /** Ends it without ceremony; resolves when it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** MinIO's own settings where a site names no others. */
export const DEFAULT_MINIO_SETTINGS = {
  // MinIO deletes unfinished uploads counting from their start, after 24 h unless told; sessions here live for a week and longer.
  MINIO_API_STALE_UPLOADS_EXPIRY: '720h',
  // The control plane's own default address. Unset, MinIO answers the pages of any origin.
  MINIO_API_CORS_ALLOW_ORIGIN: 'http://127.0.0.1:7373',
} as const;

export const MINIO_REGION = 'us-east-1';

export function endpointOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}
