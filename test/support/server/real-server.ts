import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import type { S3Target } from '../../../src/dev/minio/bucket.ts';
import { type Config, parseConfig } from '../../../src/server/settings/config.ts';
import { sharedMinio } from '../store/minio.ts';

/** Returns settings of a server on a free port, with its sessions in memory. By default it uses the shared MinIO with root's key. */
export function serverConfig(
  bucket: string,
  more: Readonly<Record<string, string | undefined>> = {},
  { endpoint, region, accessKeyId, secretAccessKey }: S3Target = sharedMinio(),
): Config {
  return parseConfig({
    PARTWAY_PORT: '0',
    PARTWAY_DATABASE_URL: ':memory:',
    PARTWAY_S3_ENDPOINT: endpoint,
    PARTWAY_S3_REGION: region,
    PARTWAY_S3_BUCKET: bucket,
    PARTWAY_S3_ACCESS_KEY_ID: accessKeyId,
    PARTWAY_S3_SECRET_ACCESS_KEY: secretAccessKey,
    ...more,
  });
}

/** Creates a log that keeps the entries of all levels. */
export function collectLog(): { readonly log: Logger; text(): string } {
  let text = '';
  const sink = new Writable({
    write(line, _encoding, done) {
      text += String(line);
      done();
    },
  });
  return { log: pino({ level: 'trace' }, sink), text: () => text };
}
