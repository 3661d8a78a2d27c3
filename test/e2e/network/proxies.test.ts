import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { makeCertificate, writeCertificate } from '../../support/network/certificates.ts';
import { type ForwardProxyOptions, startForwardProxy } from '../../support/proxies/forward-proxy.ts';
import { startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

/** Names that only the proxy can resolve, so that every request that arrives went through it. */
const SERVER = 'control.test';
const STORE = 'store.test';
const SIZE = 12 * MiB;
const CREDENTIALS = 'ann:pass-of-the-proxy';

describe.each(['http', 'https'] as const)('with server and store behind a proxy, over %s', (protocol) => {
  it('an upload goes through the proxy, whose user name and password appear nowhere', async () => {
    const { proxy, cli, bucket, folder, server, store } = await setUp(protocol);
    const result = await cli(['upload', 'film.mp4', '--strategy', 'multipart', '--part-size', '5MiB', '--json']);

    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE });
    expect(await hashOfObject(sharedMinio(), bucket, 'film.mp4')).toBe(await hashOfFile(join(folder, 'film.mp4')));
    const asked = protocol === 'http' ? [`POST ${server}/api/uploads`, `PUT ${store}/`] : connects(server, store);
    for (const what of asked) expect(proxy.asked.join('\n')).toContain(what);
    expect(result.stdout + result.stderr).not.toMatch(/pass-of-the-proxy|YW5uOnBhc3M/);
  });

  it('an upload waits while the proxy is down, and goes on when it is back', async () => {
    const { proxy, start, bucket, folder } = await setUp(protocol);
    const cli = start(['upload', 'film.mp4', '--strategy', 'multipart', '--part-size', '5MiB', '--limit', '2MiB', '--json']);
    await cli.event(({ type }) => type === 'part');
    await proxy.close();
    await cli.event(({ type }) => type === 'offline');
    const again = await startForwardProxy({ port: Number(new URL(proxy.url).port) });
    onTestFinished(again.close);
    const result = await cli.finished;

    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.events.map(({ type }) => type)).toContain('online');
    expect(await hashOfObject(sharedMinio(), bucket, 'film.mp4')).toBe(await hashOfFile(join(folder, 'film.mp4')));
    expect(again.connections).toBeGreaterThan(0);
  });

  it('doctor says which connection goes through which proxy', async () => {
    const { proxy, cli } = await setUp(protocol);
    const { stdout, stderr, exitCode } = await cli(['doctor']);
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toContain(`the way to the server: through the proxy ${proxy.url}`);
    expect(stdout).toContain(`the way to the store: through the proxy ${proxy.url}`);
    expect(stdout + stderr).not.toContain('pass-of-the-proxy');
  });
});

it('the error of a proxy that refuses tunnels names the proxy and its demand', async () => {
  const { proxy, cli } = await setUp('https', { refuseWith: 407 });
  const { stderr, exitCode } = await cli(['list']);
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain(`the proxy ${proxy.url} answered HTTP 407: it wants a name and a password`);
  expect(stderr).not.toContain('pass-of-the-proxy');
});

it('the proxy is not used for NO_PROXY and this host', async () => {
  const { proxy, cli, direct } = await setUp('http');
  const { stdout, exitCode } = await cli(['list'], { PARTWAY_SERVER: direct });
  expect(exitCode, stdout).toBe(0);
  const refused = await cli(['list'], { NO_PROXY: '.test' });
  expect(refused.stderr).toMatch(/ENOTFOUND|EAI_AGAIN/);
  expect(proxy.connections).toBe(0);
});

const SOCKS = 'socks5://ann:pass-of-the-proxy@127.0.0.1:9';

it('ALL_PROXY with a SOCKS proxy stops no upload that needs no proxy', async () => {
  const { cli } = await setUp('http', {}, (endpoint) => endpoint);
  const result = await cli(['upload', 'film.mp4', '--json'], { ALL_PROXY: SOCKS });
  expect(result.exitCode, result.stderr).toBe(0);
}, 60_000);

it('ALL_PROXY with a SOCKS proxy for the store ends an upload at once, with what to type', async () => {
  const { cli, direct } = await setUp('http');
  const env = { ALL_PROXY: SOCKS, PARTWAY_SERVER: direct };
  const { exitCode, stderr, events } = await cli(['upload', 'film.mp4', '--json'], env);
  expect(exitCode, stderr).toBe(2);
  expect(events.at(-1)).toMatchObject({ type: 'error', code: 'PROXY_NOT_USABLE' });
  expect(events.map(({ type }) => type)).not.toContain('offline');
  expect(stderr).toMatch(/ALL_PROXY must be .*SOCKS is not supported.*, and http:\/\/store\.test:\d+ would go through it/);
  expect(stderr).toContain('export NO_PROXY=store.test');
  const doctor = await cli(['doctor'], env);
  expect(doctor.stdout).toMatch(/the way to the store: ALL_PROXY must be/);
  expect(stderr + doctor.stdout).not.toContain('pass-of-the-proxy');
}, 60_000);

it('the server reaches its store through a proxy, and its log says so without user name and password', async () => {
  const folder = aFolder();
  const bucket = await createTestBucket();
  const proxy = await startForwardProxy();
  onTestFinished(proxy.close);
  const endpoint = named(STORE, sharedMinio().endpoint);
  const logFile = join(folder, 'server.log');
  const controlPlane = await startControlPlane({
    store: sharedMinio(),
    bucket,
    logFile: () => logFile,
    env: {
      PARTWAY_S3_ENDPOINT: endpoint,
      HTTP_PROXY: withCredentials(proxy.url),
      PARTWAY_WEBHOOK_URL: 'http://127.0.0.1:9/',
      PARTWAY_WEBHOOK_SECRET,
    },
  });
  await controlPlane.stop();
  expect(proxy.asked.some((what) => what.includes(`${endpoint}/`))).toBe(true);
  const log = readFileSync(logFile, 'utf8');
  expect(log).toContain(`the object store is reached through the proxy ${proxy.url}`);
  expect(log).toContain('the webhook is reached without a proxy');
  expect(log).not.toMatch(/pass-of-the-proxy|YW5uOnBhc3M/);
});

const PARTWAY_WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

async function setUp(
  protocol: 'http' | 'https',
  proxyOptions: ForwardProxyOptions = {},
  nameOf = (endpoint: string, name: string) => named(name, endpoint),
) {
  const folder = aFolder();
  await ensureGeneratedFile(join(folder, 'film.mp4'), SIZE);
  const bucket = await createTestBucket();
  const proxy = await startForwardProxy(proxyOptions);
  const pair = makeCertificate('proxied', [SERVER, STORE]);
  const { certPath } = writeCertificate(folder, pair);
  const front = async (url: string) => (protocol === 'http' ? url : await startTlsFront(url, pair));
  const store = nameOf(await front(sharedMinio().endpoint), STORE);
  const controlPlane = await startControlPlane({ store: sharedMinio(), bucket, publicEndpoint: store });
  onTestFinished(async () => {
    await proxy.close();
    await controlPlane.stop();
  });
  const server = nameOf(await front(controlPlane.server), SERVER);
  const proxies = { ALL_PROXY: withCredentials(proxy.url), NODE_EXTRA_CA_CERTS: certPath };
  const start = (args: readonly string[], env: Record<string, string> = {}) =>
    startCli(args, { server, token: controlPlane.token, cwd: folder, env: { ...proxies, ...env } });
  const cli = (...[args, env]: Parameters<typeof start>) => start(args, env).finished;
  return { proxy, start, cli, bucket, folder, server, store, direct: controlPlane.server };
}

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function named(name: string, url: string): string {
  return url.replace('127.0.0.1', name);
}

function withCredentials(url: string): string {
  return url.replace('://', `://${CREDENTIALS}@`);
}

function connects(...urls: string[]): string[] {
  return urls.map((url) => `CONNECT ${new URL(url).host}`);
}

/** Terminates TLS in front of a server that speaks plain HTTP. */
async function startTlsFront(target: string, pair: { cert: string; key: string }): Promise<string> {
  const { port } = new URL(target);
  const sockets = new Set<net.Socket>();
  const front = tls.createServer(pair, (client) => {
    const upstream = net.connect(Number(port), '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .on('close', () => {
          client.destroy();
          upstream.destroy();
        });
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    front.close();
  });
  return `https://127.0.0.1:${(front.address() as net.AddressInfo).port}`;
}
