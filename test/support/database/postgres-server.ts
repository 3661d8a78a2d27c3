import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { findOnPath, isExecutable } from '../../../src/dev/minio/find-on-path.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { startServerProcess, untilReady } from '../../../src/dev/process/server-process.ts';

/** Debian's folder of PostgreSQL versions, which is not on PATH. The newest version is tried first. */
const DEBIAN_FOLDER = '/usr/lib/postgresql';

export interface PostgresServer {
  /** The superuser's URL, for the database `postgres`. */
  readonly url: string;
  /** Sends SIGKILL to its main process; all its other processes end as well. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Stops it and deletes its data. */
  stop(): Promise<void>;
}

/** Finds the folder that holds `initdb` and `postgres`. */
export async function findPostgres(): Promise<string | undefined> {
  const onPath = await findOnPath('initdb');
  if (onPath !== undefined && (await isExecutable(join(dirname(onPath), 'postgres')))) return dirname(onPath);
  for (const version of versionsIn(DEBIAN_FOLDER)) {
    const folder = join(DEBIAN_FOLDER, version, 'bin');
    if (await isExecutable(join(folder, 'initdb'))) return folder;
  }
  return undefined;
}

function versionsIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort((a, b) => Number(b) - Number(a));
  } catch {
    return [];
  }
}

/** Starts a server on 127.0.0.1 with its data in a temporary folder. It syncs the data to the disk only if `isDurable`, for measurements. */
export async function startPostgres(binaries: string, { isDurable = false } = {}): Promise<PostgresServer> {
  const user = unprivilegedUser();
  const folder = mkdtempSync(join(tmpdir(), 'partway-postgres-'));
  const data = join(folder, 'data');
  const password = randomBytes(12).toString('hex');
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (user !== undefined) for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid);
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };
  const initdb = ['-D', data, '-U', 'partway', '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8', '-N'];
  await promisify(execFile)(join(binaries, 'initdb'), initdb, { env, cwd: folder, ...user });

  const port = await freePort();
  const url = `postgres://partway:${password}@127.0.0.1:${port}/postgres`;
  const settings = { ...SETTINGS, ...(isDurable && DURABLE), port };
  const start = async () => {
    const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    const started = startServerProcess({
      name: 'PostgreSQL',
      command: join(binaries, 'postgres'),
      args,
      env,
      secrets: [],
      ...(user && { user }),
    });
    await untilReady(started, () => answers(url));
    return started;
  };
  let running = await start();
  return {
    url,
    kill: () => running.kill('SIGKILL'),
    async restart() {
      // SIGTERM would wait for the clients to disconnect.
      await running.kill('SIGINT');
      running = await start();
    },
    async stop() {
      await running.kill('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The data need not outlive the tests. Many test files connect at the same time, each with a few pools. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 200,
  shared_buffers: '32MB',
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
};

/** PostgreSQL's defaults. */
const DURABLE = { shared_buffers: '128MB', fsync: 'on', full_page_writes: 'on', autovacuum: 'on' };

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

/** Returns a user to run as if this process is root, because PostgreSQL refuses to run as root. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const [, , uid, gid] = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody') ?? [];
  if (uid === undefined || gid === undefined) throw new Error('there is neither a user postgres nor a user nobody');
  return { uid: Number(uid), gid: Number(gid) };
}
