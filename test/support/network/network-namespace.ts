import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished, type TestContext } from 'vitest';
import { skipBecause } from '../skip-because.ts';

/** Listens on every address in the namespace, and forwards to sockets in the file system, which all namespaces share. */
const RELAY = `
  const net = require('node:net');
  const [folder, ...ports] = process.argv.slice(1);
  const listening = ports.map((port) => new Promise((resolve) => {
    net.createServer((client) => {
      const upstream = net.connect(folder + '/' + port);
      for (const socket of [client, upstream]) socket.on('error', () => {}).on('close', () => { client.destroy(); upstream.destroy(); });
      client.pipe(upstream).pipe(client);
    }).listen({ port: Number(port), host: '0.0.0.0' }, resolve);
  }));
  Promise.all(listening).then(() => console.log('listening'));
`;

/** A separate network that has only a loopback device. Removed when the test ends. */
export interface NetworkNamespace {
  readonly name: string;
  /** Words that, put before a command, run it in this namespace. */
  readonly prefix: readonly string[];
  /** Runs `ip` in this namespace. @throws if that fails */
  ip(...args: readonly string[]): void;
  /** Makes servers outside reachable on every address inside. `targets` maps the port inside to the URL outside. */
  relay(targets: Readonly<Record<number, string>>): Promise<void>;
}

/** @param hosts Lines of /etc/hosts, for programs in the namespace only. */
export function aNetworkNamespace(context: TestContext, hosts: readonly string[] = []): NetworkNamespace {
  const folder = mkdtempSync(join(tmpdir(), 'partway-net-'));
  const name = folder.slice(tmpdir().length + 1);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' });
  } catch {
    skipBecause(context, 'needs network namespaces: root, iproute2, and a kernel that lets them be made');
  }
  onTestFinished(() => void execFileSync('ip', ['netns', 'delete', name]));
  const ip = (...args: readonly string[]) => void execFileSync('ip', ['-n', name, ...args], { stdio: 'pipe' });
  ip('link', 'set', 'lo', 'up');
  const hostsFile = join(folder, 'hosts');
  writeFileSync(hostsFile, ['127.0.0.1 localhost', ...hosts, ''].join('\n'));
  // `ip netns exec` runs its command in a separate mount namespace.
  const prefix = ['ip', 'netns', 'exec', name, 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hostsFile];
  return {
    name,
    prefix,
    ip,
    async relay(targets) {
      await Promise.all(Object.entries(targets).map(([port, url]) => listenAt(join(folder, port), new URL(url))));
      const [command = '', ...args] = [...prefix, process.execPath, '-e', RELAY, folder, ...Object.keys(targets)];
      const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      onTestFinished(() => void child.kill('SIGKILL'));
      await once(child.stdout, 'data');
    },
  };
}

const DELAYED_LINK = fileURLToPath(new URL('./delayed-link.py', import.meta.url));

export interface DelayedLink {
  readonly client: NetworkNamespace;
  readonly server: NetworkNamespace;
  /** In seconds, each way. */
  readonly delay: number;
}

/** Joins two networks by a slow link, on which the server has the address 10.98.0.1 and the client 10.98.0.2. */
export async function joinByDelay(context: TestContext, { client, server, delay }: DelayedLink): Promise<void> {
  const [command = '', ...args] = [...server.prefix, 'python3', DELAYED_LINK, String(delay), client.name];
  // The program ends when its stdin is closed, at the latest when this process ends.
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const isReady = await Promise.race([once(child.stdout, 'data').then(() => true), once(child, 'exit').then(() => false)]);
  if (!isReady) skipBecause(context, 'needs Python 3, /dev/net/tun, and the right to use it');
  for (const [network, device, address, peer] of [
    [server, 'near', '10.98.0.1', '10.98.0.2'],
    [client, 'far', '10.98.0.2', '10.98.0.1'],
  ] as const) {
    network.ip('addr', 'add', address, 'peer', peer, 'dev', device);
    // Bursts of a fast sender must not be lost.
    network.ip('link', 'set', device, 'up', 'txqueuelen', '10000');
  }
}

async function listenAt(path: string, { hostname, port }: URL): Promise<void> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}
