import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { type CliResult, runCli, summaryOf } from '../../support/client/partway-cli.ts';
import { type MeddlingProxy, startMeddlingProxy } from '../../support/proxies/meddling-proxy.ts';
import { type ControlPlaneProcess, startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const SIZE = 24 * MiB;
const NAME = 'clip.mov';

describe('an upload through a proxy', () => {
  let folder: string;
  let bucket: string;
  let proxy: MeddlingProxy;
  let controlPlane: ControlPlaneProcess;
  let keys = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    await ensureGeneratedFile(join(folder, NAME), SIZE);
    bucket = await createTestBucket();
    proxy = await startMeddlingProxy(sharedMinio().endpoint);
    controlPlane = await startControlPlane({ store: sharedMinio(), bucket, publicEndpoint: proxy.url });
  });
  afterAll(async () => {
    await controlPlane.stop();
    await proxy.close();
    rmSync(folder, { recursive: true, force: true });
  });

  interface Outcome {
    readonly result: CliResult;
    readonly key: string;
    /** Bytes that arrived at the proxy for this upload, as a multiple of the file's size. */
    readonly sent: number;
  }

  async function upload(meddle: MeddlingProxy['meddle'], ...flags: string[]): Promise<Outcome> {
    const key = `${++keys}.mov`;
    const before = proxy.bytesUp;
    proxy.meddle = meddle;
    onTestFinished(() => {
      proxy.meddle = () => undefined;
    });
    const result = await runCli(['upload', NAME, '--key', key, '--json', ...flags], { ...controlPlane, cwd: folder });
    return { result, key, sent: (proxy.bytesUp - before) / SIZE };
  }

  async function expectUploaded({ result, key }: Outcome): Promise<void> {
    expect(result.exitCode, result.stderr).toBe(0);
    expect(summaryOf(result)).toMatchObject({ status: 'completed', bytes: SIZE });
    expect(await hashOfObject(sharedMinio(), bucket, key)).toBe(await hashOfFile(join(folder, NAME)));
  }

  it('that removes the ETag from answers sends each part once: the client asks the store instead, and says why', async () => {
    const outcome = await upload(() => ({ kind: 'drop-etag' }), '--strategy', 'multipart', '--part-size', '5MiB');

    await expectUploaded(outcome);
    expect(outcome.sent).toBe(1);
    expect(outcome.result.stderr).toContain('HTTP 200 without an ETag');
    expect(outcome.result.events.filter(({ type }) => type === 'notice')).toMatchObject([{ code: 'ANSWERS_CHANGED' }]);
  });

  it('that answers 504 for parts that the store accepted sends each part once', async () => {
    const outcome = await upload(() => ({ kind: 'replace-answer', status: 504 }), '--strategy', 'chunked');

    await expectUploaded(outcome);
    expect(outcome.sent).toBe(1);
  });

  it.each([
    [
      '301',
      { kind: 'answer', status: 301, headers: { location: 'https://login.example/x?X-Amz-Signature=0' } },
      'HTTP 301 to https://login.example',
    ],
    [
      '502',
      { kind: 'answer', status: 502, headers: { 'content-type': 'text/html', server: 'nginx' }, body: '<html>' },
      'HTTP 502 (text/html, nginx)',
    ],
    [
      'a page',
      { kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>sign in</html>' },
      'HTTP 200 (text/html)',
    ],
  ] as const)(
    'that answers %s sends the file once, then only probes with empty requests, and reports the true cause at the end',
    async (_, answer, description) => {
      const { result, sent } = await upload(() => answer, '--max-outage', '10s');

      expect(result.exitCode).toBe(5);
      expect(sent).toBe(1);
      const waiting = result.events.filter(({ type }) => type === 'offline');
      expect(waiting[0]).toMatchObject({ what: 'the object store', reason: expect.stringContaining(description) });
      expect(result.stderr).toMatch(/offline since .*something between here and the object store answered/);
      const error = result.events.at(-1);
      expect(error).toMatchObject({ type: 'error', code: 'OUTAGE_TOO_LONG', message: expect.stringContaining(description) });
      expect(result.stderr).not.toContain('Nothing could be reached');
      expect(result.stderr).not.toContain('X-Amz');
    },
  );

  it('that answers 502 for a while goes on by itself afterwards', async () => {
    const until = Date.now() + 4_000;
    const outcome = await upload(() => (Date.now() < until ? { kind: 'answer', status: 502 } : undefined));

    await expectUploaded(outcome);
    expect(outcome.sent).toBeLessThanOrEqual(2);
  });

  it('that refuses bodies above 6 MiB sends smaller parts', async () => {
    const outcome = await upload(
      () => ({ kind: 'refuse-above', bytes: 6 * MiB }),
      '--strategy',
      'multipart',
      '--part-size',
      '12MiB',
    );

    await expectUploaded(outcome);
    const replanned = outcome.result.events.filter(({ type }) => type === 'replanned');
    expect(replanned.at(-1)).toMatchObject({ session: { partSize: 6 * MiB }, reason: expect.stringContaining('HTTP 413') });
    expect(outcome.sent).toBeLessThan(2);
  });

  it('that refuses large bodies and closes before its answer is read sends smaller parts as well', async () => {
    const outcome = await upload(() => ({ kind: 'refuse-above', bytes: 13 * MiB, hastily: true }));

    await expectUploaded(outcome);
    const [replanned] = outcome.result.events.filter(({ type }) => type === 'replanned');
    expect(replanned).toMatchObject({ reason: expect.stringContaining('HTTP 413') });
  });

  it('that refuses bodies above 1 MiB fails, and names the proxy and the size that it must allow', async () => {
    const { result, sent } = await upload(() => ({ kind: 'refuse-above', bytes: MiB }));

    expect(result.exitCode).toBe(7);
    expect(result.events.at(-1)).toMatchObject({
      type: 'error',
      code: 'PART_REFUSED',
      message: expect.stringContaining('HTTP 413'),
    });
    expect(result.stderr).toMatch(/5 MiB are the smallest that S3 takes/);
    expect(result.stderr).toContain('client_max_body_size');
    expect(sent).toBeLessThan(3);
  });

  it('that cuts every PUT after 2 s notices the limit, and sends smaller parts', async () => {
    const outcome = await upload(() => ({ kind: 'cut-after-ms', ms: 2_000 }), '--limit', '5MiB');

    await expectUploaded(outcome);
    const [replanned] = outcome.result.events.filter(({ type }) => type === 'replanned');
    expect(replanned).toMatchObject({
      reason: expect.stringMatching(/cuts every connection after about \d s/),
      session: { partSize: expect.toSatisfy((size: number) => size < SIZE / 2) },
    });
    expect(outcome.result.stderr).toMatch(
      /parts of .* from now on: something between here and the object store cuts every connection/,
    );
  });

  it('that cuts every PUT after 8 MiB notices the limit as well', async () => {
    const outcome = await upload(() => ({ kind: 'cut-after-bytes', bytes: 8 * MiB }), '--limit', '40MiB');

    await expectUploaded(outcome);
    expect(outcome.result.events.some(({ type }) => type === 'replanned')).toBe(true);
  });
});
