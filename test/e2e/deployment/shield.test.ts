import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateMultipartUploadCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { runCli, summaryOf } from '../../support/client/partway-cli.ts';
import { RawConnection } from '../../support/network/raw-connection.ts';
import { sendRequest } from '../../support/network/send-request.ts';
import { type Recorder, type ShieldKind, startShieldedMinio } from '../../support/proxies/shield.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { FORGING_WORD } from '../../support/store/forged-head.ts';
import { sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const root = sharedMinio();
const clients: S3Client[] = [];
afterAll(() => {
  for (const client of clients) client.destroy();
});

function clientAt(endpoint: string): S3Client {
  const client = new S3Client({ endpoint, region: root.region, credentials: root, forcePathStyle: true });
  clients.push(client);
  return client;
}

/** Begins a real upload, and returns a part URL presigned by root. */
async function aPartUrl(endpoint: string, bucket: string, expiresIn = 600): Promise<string> {
  const { UploadId } = await clientAt(root.endpoint).send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'film' }));
  const part = new UploadPartCommand({ Bucket: bucket, Key: 'film', UploadId, PartNumber: 1 });
  return getSignedUrl(clientAt(endpoint), part, { expiresIn });
}

describe.each<ShieldKind>(['haproxy', 'nginx'])('the shield in %s', (kind) => {
  let shield: string;
  let recorder: Recorder;
  let bucket: string;
  beforeEach(async (context) => {
    ({ shield, recorder, bucket } = await startShieldedMinio(kind, context));
  });

  async function startServerBehindIt(env: Readonly<Record<string, string>> = {}): Promise<ControlPlaneProcess> {
    const endpoint = { PARTWAY_S3_ENDPOINT: shield };
    const server = await startControlPlane({ store: root, bucket, env: { ...endpoint, PARTWAY_S3_SIGNING: 'sts', ...env } });
    onTestFinished(() => server.stop());
    return server;
  }

  it('lets an upload of several parts through, and every request of the control plane', async () => {
    const server = await startServerBehindIt();
    const folder = mkdtempSync(join(tmpdir(), 'partway-shield-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'film.mp4');
    await ensureGeneratedFile(file, 48 * MiB + 17);
    const key = 'a b+c&d=e%2F%25/ü (1)/film.mp4';
    const args = ['upload', file, '--key', key, '--strategy', 'multipart', '--json'];
    const result = await runCli(args, server);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: 48 * MiB + 17 });
    expect(await hashOfObject(root, bucket, key)).toBe(await hashOfFile(file));
    const verify = await runCli(['verify', String(summaryOf(result).sessionId), file], server);
    expect(verify.exitCode, verify.stderr).toBe(0);
    // The parts went through the shield.
    expect(recorder.sent.match(/PUT \S+partNumber=\d+/g)?.length).toBeGreaterThan(3);
  });

  it('lets doctor find nothing wrong', async () => {
    const server = await startServerBehindIt();
    const { exitCode, events } = await runCli(['doctor', '--json'], server);
    expect(events.filter(({ outcome }) => outcome === 'fail')).toEqual([]);
    expect(events).toContainEqual(expect.objectContaining({ check: 'store takes a part', outcome: 'ok' }));
    expect(exitCode).toBe(0);
  });

  it('passes the first bytes of a part to the store before the client has sent the rest', async () => {
    const url = new URL(await aPartUrl(shield, bucket));
    const [first, rest] = [`first ${randomBytes(8).toString('hex')}`, 'a'.repeat(4 * MiB)];
    const connection = await RawConnection.to(shield);
    connection.send(
      `PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: ${first.length + rest.length}\r\nConnection: close\r\n\r\n${first}`,
    );
    await expect.poll(() => recorder.sent.includes(first), { timeout: 60_000 }).toBe(true);
    connection.send(rest);
    const { status, headers } = await connection.answer();
    expect({ status, etag: headers.etag }).toEqual({ status: 200, etag: expect.stringMatching(/^"[0-9a-f]{32}"$/) });
  });

  it('refuses a forged body of a terabyte before a byte of it is sent, even if the client waits for 100 Continue', async () => {
    for (const more of ['', 'Expect: 100-continue\r\n']) {
      const connection = await RawConnection.to(shield);
      const { host } = new URL(shield);
      connection.send(
        `PUT /${bucket}/a HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${1024 ** 4}\r\nx-amz-content-sha256: ${FORGING_WORD}\r\n${more}\r\n`,
      );
      await connection.untilReceived('</Error>');
      // nginx sends both answers to a client that waits.
      expect(connection.received.replace(kind === 'nginx' ? /^HTTP\/1\.1 100 .*\r\n\r\n/ : '', '')).toMatch(/^HTTP\/1\.1 403 /);
      expect(connection.received).toContain('<Code>AccessDenied</Code>');
    }
    expect(recorder.sent).toBe('');
  });

  it("sends 100 Continue to a client that waits for it, and passes the store's answer on", async () => {
    const url = new URL(await aPartUrl(shield, bucket));
    const connection = await RawConnection.to(shield);
    connection.send(
      `PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
    );
    await connection.untilReceived('100 Continue');
    connection.send('hello');
    expect(await connection.untilClosed()).toMatch(/HTTP\/1\.1 200 OK[\s\S]*etag: "5d41402abc4b2a76b9719d911017c592"/i);
  });

  it("keeps the checksum in the store's answer", async () => {
    const url = await aPartUrl(shield, bucket);
    const answer = await sendRequest('PUT', url, { 'x-amz-checksum-crc32': 'NhCmhg==' }, Buffer.from('hello'));
    expect(answer).toMatchObject({ status: 200, headers: { etag: expect.any(String), 'x-amz-checksum-crc32': 'NhCmhg==' } });
  });

  // MinIO answers before it has read the body and closes soon: on a busy host the reset may overtake the answer.
  it('lets a client that sends a whole part to an expired URL read the reason of the refusal', { retry: 3 }, async () => {
    const url = new URL(await aPartUrl(shield, bucket));
    url.searchParams.set('X-Amz-Date', '20260101T000000Z');
    const answer = await sendRequest('PUT', url.href, {}, Buffer.alloc(16 * MiB));
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied' });
    expect(answer.body.toString()).toContain('expired');
  });

  it('passes the preflights of web pages on', async () => {
    const url = await aPartUrl(shield, bucket);
    const asked = (origin: string) => ({ origin, 'access-control-request-method': 'PUT' });
    const own = await sendRequest('OPTIONS', url, asked('http://127.0.0.1:7373'));
    const foreign = await sendRequest('OPTIONS', url, asked('https://evil.example'));
    expect(own.headers['access-control-allow-origin']).toBe('http://127.0.0.1:7373');
    expect(foreign.headers['access-control-allow-origin']).toBeUndefined();
  });

  it.each([
    '/minio/admin/v3/info',
    '//minio/admin/v3/info',
    '/%6dinio/%61dmin/v3/info',
    '/minio%2Fadmin/v3/info',
    '/Minio/admin/v3/info',
    '/minio/v2/metrics/cluster',
    '/minio/health/../admin/v3/info',
    '/minio/health/%2e%2e/admin/v3/info',
    '/minio/',
    '/minio',
  ])('refuses paths that are not for clients: %s', async (path) => {
    const connection = await RawConnection.to(shield);
    connection.send(`GET ${path} HTTP/1.1\r\nHost: ${new URL(shield).host}\r\nConnection: close\r\n\r\n`);
    expect(await connection.answer()).toMatchObject({ status: 403, body: expect.stringContaining('<Code>AccessDenied</Code>') });
    expect(recorder.sent).toBe('');
  });

  it('lets health checks through', async () => {
    for (const check of ['live', 'ready', 'cluster', 'cluster/read'])
      expect((await sendRequest('GET', `${shield}/minio/health/${check}`)).status).toBe(200);
  });

  it('tells the store the address that a request came from, whatever the request claims', async () => {
    const claimed = { 'x-forwarded-for': '203.0.113.9', 'x-real-ip': '203.0.113.9', forwarded: 'for=203.0.113.9' };
    await sendRequest('GET', `${shield}/minio/health/live`, claimed);
    expect(recorder.sent).toMatch(/x-forwarded-for: 127\.0\.0\.1\r\n/i);
    expect(recorder.sent).not.toContain('203.0.113.9');
  });
});

describe('deploy/', () => {
  it('gives both proxies the same patience: a part may stand still, and Complete be silent, for 16 minutes', () => {
    const haproxy = readFileSync('deploy/haproxy-shield.cfg', 'utf8');
    for (const side of ['client', 'server']) expect(haproxy).toMatch(new RegExp(`^ *timeout ${side} 16m$`, 'm'));
    const nginx = readFileSync('deploy/nginx-shield.conf', 'utf8');
    for (const name of ['client_body_timeout', 'send_timeout', 'proxy_send_timeout', 'proxy_read_timeout'])
      expect(nginx).toMatch(new RegExp(`^ *${name} 16m;$`, 'm'));
  });
});
