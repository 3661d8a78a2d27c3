import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { S3Target } from '../../../src/dev/minio/bucket.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { answersOk, type ServerProcess, startServerProcess, untilReady } from '../../../src/dev/process/server-process.ts';
import { createRestrictedUser } from '../store/minio.ts';
import { atShiftedClock } from '../time/shifted-clock.ts';

const PARTWAY = fileURLToPath(new URL('../../../bin/partway.js', import.meta.url));

export interface ControlPlaneOptions {
  /** With its root key: the control plane gets a user of its own there, with the documented policy and no other right. */
  readonly store: S3Target;
  readonly bucket: string;
  /** What presigned URLs name, where it is not the store itself (a fault proxy). */
  readonly publicEndpoint?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Wait for /readyz; without, for /healthz (a bucket that is missing on purpose). */
  readonly untilReady?: boolean;
  /** How far its wall clock is ahead at the next start. */
  readonly clockOffsetSeconds?: () => number;
  /** Where the log of each start goes, numbered from 1. */
  readonly logFile?: (start: number) => string;
}

export interface ControlPlaneProcess {
  readonly server: string;
  readonly token: string;
  readonly pid: number;
  /** How it ended and the last lines it wrote. */
  describeEnd(): string;
  /** Of the commands that work on the server's own machine. */
  readonly machineEnv: Readonly<Record<string, string>>;
  /** SIGKILL: no chance to tidy up. */
  kill(): Promise<void>;
  /** SIGTERM, and until it has ended. */
  end(): Promise<void>;
  /** Starts it again on the same port and database. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** `partway serve` as a process of its own, on a database in a temporary folder. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlaneProcess> {
  const port = await freePort();
  const server = `http://127.0.0.1:${port}`;
  const token = options.env?.PARTWAY_TOKEN ?? `pw_${randomBytes(24).toString('base64url')}`;
  const user = await createRestrictedUser(options.bucket, options.env?.PARTWAY_S3_KEY_PREFIX, options.store);
  const folder = mkdtempSync(join(tmpdir(), 'partway-control-plane-'));
  let starts = 0;
  const start = async () => {
    starts += 1;
    const seconds = options.clockOffsetSeconds?.() ?? 0;
    const serve = [PARTWAY, 'serve'];
    const [command, args] = seconds === 0 ? [process.execPath, serve] : atShiftedClock(seconds, process.execPath, serve);
    const started = startServerProcess({
      name: 'The control plane',
      command,
      args,
      secrets: [],
      ...(options.logFile && { logFile: options.logFile(starts) }),
      env: {
        PATH: process.env.PATH,
        PARTWAY_PORT: String(port),
        PARTWAY_TOKEN: token,
        PARTWAY_DATABASE_URL: join(folder, 'partway.db'),
        PARTWAY_S3_ENDPOINT: user.endpoint,
        PARTWAY_S3_BUCKET: options.bucket,
        PARTWAY_S3_ACCESS_KEY_ID: user.accessKeyId,
        PARTWAY_S3_SECRET_ACCESS_KEY: user.secretAccessKey,
        PARTWAY_S3_STALE_UPLOADS_EXPIRY: '720h',
        ...(options.publicEndpoint === undefined ? {} : { PARTWAY_S3_PUBLIC_ENDPOINT: options.publicEndpoint }),
        ...options.env,
      },
    });
    await untilReady(started, () => answersOk(`${server}/${options.untilReady === false ? 'healthz' : 'readyz'}`));
    return started;
  };
  let running: ServerProcess = await start();
  return {
    server,
    token,
    machineEnv: { PARTWAY_DATABASE_URL: join(folder, 'partway.db') },
    get pid() {
      if (running.pid === undefined) throw new Error('the control plane does not run');
      return running.pid;
    },
    describeEnd: () => running.describeEnd(),
    kill: () => running.kill('SIGKILL'),
    end: () => running.stop(),
    async restart() {
      await running.stop();
      running = await start();
    },
    async stop() {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
