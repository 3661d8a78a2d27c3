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
  /** The store with its root key. The control plane gets its own user there, with the documented policy and no other rights. */
  readonly store: S3Target;
  readonly bucket: string;
  /** The endpoint in presigned URLs if it is not the store itself but, for example, a fault proxy. */
  readonly publicEndpoint?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Waits for /readyz, which is the default; false waits only for /healthz (if the bucket is missing on purpose). */
  readonly untilReady?: boolean;
  /** Returns how many seconds its wall clock is ahead at the next start. */
  readonly clockOffsetSeconds?: () => number;
  /** The path of the log file for each start, numbered from 1. */
  readonly logFile?: (start: number) => string;
}

export interface ControlPlaneProcess {
  readonly server: string;
  readonly token: string;
  readonly pid: number;
  /** Returns how the process ended and the last lines that it wrote. */
  describeEnd(): string;
  /** The environment for commands that run on the server's own host. */
  readonly machineEnv: Readonly<Record<string, string>>;
  /** Sends SIGKILL, so that the process cannot clean up. */
  kill(): Promise<void>;
  /** Sends SIGTERM, and waits until the process has ended. */
  end(): Promise<void>;
  /** Starts it again on the same port and database. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts `partway serve` as a separate process, on a database in a temporary folder. */
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
