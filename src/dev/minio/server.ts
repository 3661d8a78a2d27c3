import type { Host } from '../process/user-folders.ts';
import type { Log } from './build.ts';

export interface MinioCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Everything that it takes to start the same MinIO again. */
export interface MinioSite {
  readonly dataDir: string;
  readonly port: number;
  readonly credentials: MinioCredentials;
  /** MinIO's own settings, MINIO_…. */
  readonly settings: Readonly<Record<string, string>>;
  readonly host: Host;
  readonly log: Log;
}

/** A MinIO that serves requests. */
export interface MinioServer {
  /** Undefined if it is not a child process. */
  readonly pid: number | undefined;
  /** Sends the signal; resolves when it has ended. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** MinIO's own settings, unless a site overrides them. */
export const DEFAULT_MINIO_SETTINGS = {
  // MinIO deletes unfinished uploads 24 h after they began, by default; sessions live for a week and longer.
  MINIO_API_STALE_UPLOADS_EXPIRY: '720h',
  // The control plane's default address. If this is unset, MinIO answers pages of any origin.
  MINIO_API_CORS_ALLOW_ORIGIN: 'http://127.0.0.1:7373',
} as const;

export const MINIO_REGION = 'us-east-1';

export function endpointOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}
