import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished, type TestContext } from 'vitest';
import { findOnPath } from '../../../src/dev/minio/find-on-path.ts';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { type ServerCommand, startServerProcess, untilReady } from '../../../src/dev/process/server-process.ts';
import { skipBecause } from '../skip-because.ts';
import { createTestBucket, sharedMinio } from '../store/minio.ts';

/** The proxies for which deploy/ has a configuration. */
export type ShieldKind = 'haproxy' | 'nginx';

export interface ShieldedMinio {
  /** The endpoint of the shield. */
  readonly shield: string;
  /** Records what the shield sends to MinIO. */
  readonly recorder: Recorder;
  /** A new, empty bucket. */
  readonly bucket: string;
}

/** Starts a shield in front of the MinIO that all test files share. */
export async function startShieldedMinio(kind: ShieldKind, context: Pick<TestContext, 'task' | 'skip'>): Promise<ShieldedMinio> {
  const recorder = await startRecorder(sharedMinio().endpoint);
  return { shield: await startShield(kind, recorder.url, context), recorder, bucket: await createTestBucket() };
}

/** Starts a shield in front of a store, on a free port of 127.0.0.1. Ends with the test. @returns its endpoint. */
async function startShield(kind: ShieldKind, store: string, context: Pick<TestContext, 'task' | 'skip'>): Promise<string> {
  const program = await findOnPath(kind);
  if (program === undefined) skipBecause(context, `${kind} is not installed (${kind} on PATH)`);
  const bind = `127.0.0.1:${await freePort()}`;
  const { host } = new URL(store);
  const settings = kind === 'haproxy' ? haproxyOf(bind, host) : nginxOf(bind, host);
  const running = startServerProcess({ name: kind, command: program, secrets: [], ...settings });
  onTestFinished(() => running.stop());
  await untilReady(running, () => refusesAdminApi(`http://${bind}`));
  return `http://${bind}`;
}

async function refusesAdminApi(endpoint: string): Promise<boolean> {
  const answer = await fetch(`${endpoint}/minio/admin/v3/info`).catch(() => undefined);
  await answer?.arrayBuffer();
  return answer?.status === 403;
}

export interface Recorder {
  readonly url: string;
  /** The bytes sent to the store so far: the first 64 KiB of each connection. */
  readonly sent: string;
}

const KEPT_BYTES = 64 * 1024;

/** Starts a TCP proxy in front of the store that records what is sent to it. Closed when the test ends. */
async function startRecorder(store: string): Promise<Recorder> {
  const { hostname, port } = new URL(store);
  const kept: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const index = kept.push('') - 1;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      kept[index] = `${kept[index]}${bytes.toString('latin1')}`.slice(0, KEPT_BYTES);
    });
    client.pipe(upstream).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get sent() {
      return kept.join('');
    },
  };
}

type ProgramSettings = Pick<ServerCommand, 'args' | 'env'>;

function haproxyOf(bind: string, store: string): ProgramSettings {
  return {
    args: ['-db', '-f', resolve('deploy/haproxy-shield.cfg')],
    env: { PARTWAY_SHIELD_BIND: bind, PARTWAY_SHIELD_STORE: store },
  };
}

/** Replaces the addresses in the configuration file, because nginx reads none from its environment. */
function nginxOf(bind: string, store: string): ProgramSettings {
  const folder = mkdtempSync(join(tmpdir(), 'partway-nginx-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'logs'));
  const shield = readFileSync('deploy/nginx-shield.conf', 'utf8')
    .replace('listen 9000;', `listen ${bind};`)
    .replace('server 127.0.0.1:9001;', `server ${store};`);
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(folder, name)};`);
  const main = `daemon off;
master_process off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log stderr error;
events {}
http {
  ${folders.join('\n  ')}
${shield}
}
`;
  writeFileSync(join(folder, 'nginx.conf'), main);
  return { args: ['-p', folder, '-e', 'stderr', '-c', join(folder, 'nginx.conf')], env: {} };
}
