import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { freePort } from '../../../src/dev/process/free-port.ts';
import { createForgeryGuard } from '../../../src/server/health/forgery-guard.ts';
import { createReadiness } from '../../../src/server/health/readiness.ts';
import { startChecks } from '../../../src/server/health/start-checks.ts';
import { startServer } from '../../../src/server/start-server.ts';
import { ServiceBench } from '../../support/server/control-plane.ts';
import { collectLog, serverConfig } from '../../support/server/real-server.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';

const WARN = 40;

let bucket: string;
beforeEach(async () => {
  bucket = await createTestBucket();
});

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly check?: string;
}

async function start(env: Record<string, string>) {
  const { log, text } = collectLog();
  const config = serverConfig(bucket, { PARTWAY_TOKEN: 'the-token-of-the-start-checks', ...env });
  const server = await startServer(config, log, () => {});
  onTestFinished(() => server.stop());
  const lines = () =>
    text()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Line);
  const statusOf = async (path: string) => (await fetch(`${server.url}${path}`)).status;
  return { statusOf, lines, warned: () => lines().filter(({ level }) => level >= WARN) };
}

const REFUSED = /^not ready: the bucket cannot be used: the object store refuses\. /;

describe('a server whose object store fails at the start', () => {
  it.each<[string, () => Promise<Record<string, string>>, string, RegExp]>([
    [
      'the store does not answer',
      async () => ({ PARTWAY_S3_ENDPOINT: `http://127.0.0.1:${await freePort()}` }),
      'bucket',
      /^not ready: the bucket cannot be used: the object store does not answer\. Start it, or correct PARTWAY_S3_ENDPOINT \(.*ECONNREFUSED/,
    ],
    [
      'there is no such bucket',
      async () => ({ PARTWAY_S3_BUCKET: 'no-such-bucket-at-the-start' }),
      'bucket',
      /^not ready: the bucket cannot be used: there is no bucket "no-such-bucket-at-the-start"\. Make it, or correct PARTWAY_S3_BUCKET \(NoSuchBucket/,
    ],
    [
      'the secret is wrong',
      async () => ({ PARTWAY_S3_SECRET_ACCESS_KEY: 'swordfish-that-is-wrong' }),
      'bucket',
      new RegExp(`${REFUSED.source}Correct PARTWAY_S3_SECRET_ACCESS_KEY \\(SignatureDoesNotMatch`),
    ],
    [
      'the access key is unknown',
      async () => ({ PARTWAY_S3_ACCESS_KEY_ID: 'nobody-at-the-start' }),
      'bucket',
      new RegExp(`${REFUSED.source}Correct PARTWAY_S3_ACCESS_KEY_ID \\(InvalidAccessKeyId`),
    ],
    [
      'the signing secret is wrong',
      async () => ({
        PARTWAY_S3_SIGNING_ACCESS_KEY_ID: sharedMinio().accessKeyId,
        PARTWAY_S3_SIGNING_SECRET_ACCESS_KEY: 'swordfish-that-is-wrong',
      }),
      'signing',
      /^not ready: part URLs cannot be signed: the object store refuses\. Correct PARTWAY_S3_SIGNING_… or PARTWAY_S3_SECRET_ACCESS_KEY \(SignatureDoesNotMatch/,
    ],
  ])('serves, is not ready, and says once what to do: %s', async (_, env, check, text) => {
    const { statusOf, lines, warned } = await start(await env());

    await expect.poll(() => warned().map(({ check: name }) => name)).toContain(check);
    expect(await statusOf('/healthz')).toBe(200);
    expect(await statusOf('/readyz')).toBeGreaterThanOrEqual(500);
    const told = warned().filter(({ check: name }) => name === check);
    expect(told).toEqual([expect.objectContaining({ msg: expect.stringMatching(text), requestId: 'start' })]);
    expect(JSON.stringify(lines())).not.toContain('swordfish');
  });

  it('says that it is ready where all checks pass, and warns of nothing', async () => {
    const { lines, warned } = await start({});
    await expect.poll(() => lines().map(({ msg }) => msg)).toContain('ready: database, bucket and signing were tried');
    expect(warned()).toEqual([]);
  });
});

describe('checks that failed at the start', () => {
  it('are repeated until all pass, and each is logged when it fails and when it passes again', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const bench = new ServiceBench();
    const readiness = createReadiness(bench.deps, createForgeryGuard(bench.deps));
    const messages = () => bench.logged.map(({ message }) => message);
    const again = async () => {
      bench.clock.advance(10_000);
      await vi.advanceTimersByTimeAsync(10_000);
    };
    bench.objects.failNext('checkBucket', 'unavailable');
    const checks = startChecks(readiness, bench.deps.log);
    await vi.advanceTimersByTimeAsync(0);
    expect(messages()).toEqual([expect.stringContaining('the object store does not answer')]);

    bench.objects.failNext('checkBucket', 'unavailable');
    await again();
    expect(messages()).toHaveLength(1);

    bench.objects.failNext('checkBucket', 'bucket-missing');
    await again();
    expect(messages().slice(1)).toEqual([expect.stringContaining('there is no bucket')]);

    await again();
    expect(messages().slice(2)).toEqual([
      'a check that failed is passed again',
      'ready: database, bucket and signing were tried',
    ]);
    const asked = bench.objects.callsOf('checkBucket').length;
    await again();
    expect(bench.objects.callsOf('checkBucket')).toHaveLength(asked);
    await checks.stop();
  });

  it('end with the server', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const bench = new ServiceBench();
    bench.objects.failNext('checkBucket', 'unavailable');
    const checks = startChecks(createReadiness(bench.deps, createForgeryGuard(bench.deps)), bench.deps.log);
    await checks.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
