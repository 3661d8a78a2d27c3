import { readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CliOptions, runCli, startCli, summaryOf } from '../../support/client/partway-cli.ts';
import { aFolder, seededBytes } from '../../support/client/sources.ts';
import { makeCertificate } from '../../support/network/certificates.ts';
import { aTlsPort, REFUSALS } from '../../support/network/tls-port.ts';
import { startDamagingRelay } from '../../support/proxies/damaging-relay.ts';
import { startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

const MiB = 1024 ** 2;

/** Starts a TLS server in front of MinIO, as a reverse proxy would be. Returns its port. */
async function startTlsFront(certificate: { cert: string; key: string }): Promise<number> {
  const store = new URL(sharedMinio().endpoint);
  const sockets = new Set<Socket>();
  const server = createServer(certificate, (client) => {
    const upstream = connect(Number(store.port), store.hostname);
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
  // The relay may damage a handshake.
  server.on('tlsClientError', () => {});
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Starts a store that clients reach over TLS, through a relay that causes faults on command. */
async function aTlsStore() {
  const certificate = makeCertificate('store');
  const relay = await startDamagingRelay(await startTlsFront(certificate));
  const publicEndpoint = `https://127.0.0.1:${relay.port}`;
  const controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket(), publicEndpoint });
  onTestFinished(() => controlPlane.stop());
  const folder = await aFolder();
  const authority = join(folder, 'ca.pem');
  await writeFile(authority, certificate.cert);
  const file = join(folder, 'clip.mov');
  await writeFile(file, seededBytes(30 * MiB, 71));
  const { server, token } = controlPlane;
  const untrusting: CliOptions = { server, token };
  return { relay, file, untrusting, trusting: { ...untrusting, env: { NODE_EXTRA_CA_CERTS: authority } } };
}

describe('a store that speaks TLS, while part URLs begin with http:', () => {
  it.each(REFUSALS)(
    'and %s is explained in words by upload and by doctor',
    async (_, refuse) => {
      const publicEndpoint = await aTlsPort(refuse);
      const controlPlane = await startControlPlane({ store: sharedMinio(), bucket: await createTestBucket(), publicEndpoint });
      onTestFinished(() => controlPlane.stop());
      const file = join(await aFolder(), 'clip.mov');
      await writeFile(file, seededBytes(MiB, 72));
      const { server, token } = controlPlane;
      const { exitCode, stderr } = await runCli(['upload', file, '--max-outage', '1s'], { server, token });
      expect(exitCode, stderr).toBe(5);
      expect(stderr).toMatch(/what answers there speaks TLS \(.+\), so its address begins with https:\/\//);
      const { stdout } = await runCli(['doctor'], { server, token });
      expect(stdout).toMatch(/cannot be reached as it is signed for: what answers there speaks TLS/);
      expect(stdout).toContain(`PARTWAY_S3_PUBLIC_ENDPOINT=${publicEndpoint.replace('http:', 'https:')}`);
    },
    60_000,
  );
});

describe('a store behind TLS', () => {
  it('gets the whole upload in spite of damaged TLS records and an unencrypted sign-in page', async () => {
    const { relay, file, trusting } = await aTlsStore();
    const args = ['upload', file, '--json', '--strategy', 'multipart', '--part-size', '5MiB', '--limit', '5MiB'];
    const upload = startCli(args, trusting);
    // Either a part fails, or the probe that checks the store after a failed part.
    const troubles = (count: number) => {
      let seen = 0;
      return upload.event(({ type }) => (type === 'retry' || type === 'offline') && ++seen === count);
    };
    await upload.event(({ type }) => type === 'part');
    relay.damage('up');
    await troubles(1);
    relay.damage('down');
    await troubles(2);
    relay.signInPage(2);
    relay.damage('up');
    const result = await upload.finished;
    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: 30 * MiB, proof: 'full' });
    const reasons = result.events.filter(({ type }) => type === 'offline').map(({ reason }) => reason);
    expect(reasons).toContainEqual(expect.stringContaining('does not speak TLS'));
    expect(relay.isDone).toBe(true);
  });

  it('whose certificate the client does not trust ends the upload at once, with what to do', async () => {
    const { file, untrusting } = await aTlsStore();
    const { exitCode, stderr } = await runCli(['upload', file], untrusting);
    expect(stderr).toContain('does not trust the certificate of the object store');
    expect(stderr).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(stderr).toContain('export NODE_EXTRA_CA_CERTS=');
    expect(exitCode).toBe(2);
    const { stdout } = await runCli(['doctor'], untrusting);
    expect(stdout).toContain('cannot be trusted from this machine');
    expect(stdout).toContain('export NODE_EXTRA_CA_CERTS=');
  });

  it('whose certificate the server does not trust is reported by its log, /readyz and doctor, each with what to set', async () => {
    const endpoint = `https://127.0.0.1:${await startTlsFront(makeCertificate('store'))}`;
    const logFile = join(await aFolder(), 'log');
    const controlPlane = await startControlPlane({
      store: sharedMinio(),
      bucket: await createTestBucket(),
      env: { PARTWAY_S3_ENDPOINT: endpoint },
      untilReady: false,
      logFile: () => logFile,
    });
    onTestFinished(() => controlPlane.stop());
    const words = /DEPTH_ZERO_SELF_SIGNED_CERT.*NODE_EXTRA_CA_CERTS|NODE_EXTRA_CA_CERTS.*DEPTH_ZERO_SELF_SIGNED_CERT/;

    const { checks } = (await (await fetch(`${controlPlane.server}/readyz`)).json()) as {
      checks: Record<string, { detail?: string }>;
    };
    for (const check of ['bucket', 'signing', 'forgedWrites']) expect(checks[check]?.detail).toMatch(words);
    const { stdout } = await runCli(['doctor'], controlPlane);
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(words);
    await controlPlane.stop();
    const reports = (await readFile(logFile, 'utf8')).split('\n').filter((line) => line.includes('"check":"bucket"'));
    expect(reports).toHaveLength(1);
    expect(reports[0]).toMatch(words);
  });
});
