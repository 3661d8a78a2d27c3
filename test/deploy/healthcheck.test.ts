import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import { type RunningServer, startServer } from '../../src/server/start-server.ts';
import { aFolder } from '../support/client/sources.ts';
import { makeCertificate, writeCertificate } from '../support/network/certificates.ts';
import { serverConfig } from '../support/server/real-server.ts';
import { createTestBucket } from '../support/store/minio.ts';

async function start(env: Record<string, string>): Promise<RunningServer> {
  const config = serverConfig(await createTestBucket(), { PARTWAY_TOKEN: 'the-token-of-the-healthcheck-tests', ...env });
  const server = await startServer(config, pino({ level: 'silent' }), () => {});
  onTestFinished(() => server.stop());
  return server;
}

/** Runs the health check as the container does. @returns its exit code. */
function check(server: RunningServer, env: Record<string, string> = {}): Promise<number> {
  return new Promise((done) => {
    const options = { env: { ...env, PARTWAY_PORT: new URL(server.url).port } };
    const child = execFile(process.execPath, [resolve('deploy/healthcheck.js')], options, () => done(child.exitCode ?? -1));
  });
}

it("the image's health check passes while the server is ready, and fails once it has stopped", async () => {
  const server = await start({});
  expect(await check(server)).toBe(0);
  await server.stop();
  expect(await check(server)).toBe(1);
});

it('fails while the bucket is missing', async () => {
  expect(await check(await start({ PARTWAY_S3_BUCKET: 'no-such-bucket-of-the-healthcheck' }))).toBe(1);
});

it('passes over TLS, whatever name the certificate is for', async () => {
  const { certPath, keyPath } = writeCertificate(await aFolder(), makeCertificate('uploads.example.com'));
  const tls = { PARTWAY_TLS_CERT: certPath, PARTWAY_TLS_KEY: keyPath };
  expect(await check(await start(tls), tls)).toBe(0);
});
