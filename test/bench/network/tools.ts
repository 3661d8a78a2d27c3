import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PARTWAY = fileURLToPath(new URL('../../../bin/partway.js', import.meta.url));
const LIB_STORAGE = fileURLToPath(new URL('../lib-storage.js', import.meta.url));

export interface Target {
  readonly store: string;
  readonly controlPlane: string;
  readonly token: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** One uploader: the command line that uploads `file` to `key` as its manual recommends, with its defaults. */
export interface Tool {
  readonly name: string;
  readonly command: string;
  args(target: Target, file: string, key: string): string[];
  env(target: Target): NodeJS.ProcessEnv;
}

export const partway: Tool = {
  name: 'partway',
  command: process.execPath,
  // A user on a bad link sets this flag, and --network auto decides the same after the first interruption.
  args: (_target, file, key) => [PARTWAY, 'upload', file, '--key', key, '--network', 'unreliable', '--quiet'],
  env: ({ controlPlane, token }) => ({ PARTWAY_SERVER: controlPlane, PARTWAY_TOKEN: token }),
};

const awsKeys = ({ accessKeyId, secretAccessKey }: Target) => ({
  AWS_ACCESS_KEY_ID: accessKeyId,
  AWS_SECRET_ACCESS_KEY: secretAccessKey,
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
});

const PEERS: readonly Tool[] = [
  {
    name: 'mc cp',
    command: 'mc',
    args: (target, file, key) => ['--quiet', 'cp', file, `bench/${target.bucket}/${key}`],
    env: (target) => ({
      MC_HOST_bench: `http://${target.accessKeyId}:${target.secretAccessKey}@${target.store.replace('http://', '')}`,
    }),
  },
  {
    name: 'aws s3 cp',
    command: 'aws',
    args: (target, file, key) => [
      's3',
      'cp',
      '--only-show-errors',
      '--endpoint-url',
      target.store,
      file,
      `s3://${target.bucket}/${key}`,
    ],
    env: awsKeys,
  },
  {
    name: 'rclone',
    command: 'rclone',
    args: (target, file, key) => ['copyto', file, `bench:${target.bucket}/${key}`],
    env: (target) => ({
      RCLONE_CONFIG_BENCH_TYPE: 's3',
      RCLONE_CONFIG_BENCH_PROVIDER: 'Minio',
      RCLONE_CONFIG_BENCH_ENDPOINT: target.store,
      RCLONE_CONFIG_BENCH_ACCESS_KEY_ID: target.accessKeyId,
      RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY: target.secretAccessKey,
    }),
  },
  {
    name: 's5cmd',
    command: 's5cmd',
    args: (target, file, key) => ['--endpoint-url', target.store, 'cp', file, `s3://${target.bucket}/${key}`],
    env: awsKeys,
  },
];

/** The SDK's own multipart upload. It has no command line, so only its speed is compared. */
export const libStorage: Tool = {
  name: 'lib-storage',
  command: process.execPath,
  args: (target, file, key) => [LIB_STORAGE, target.store, target.bucket, key, file],
  env: awsKeys,
};

/** The peers that are on PATH. */
export function peersOnPath(): Tool[] {
  return PEERS.filter((tool) => {
    try {
      execFileSync('which', [tool.command], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}
