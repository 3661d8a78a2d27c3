import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { costOfBody, costOfCreate, costOfList, costOfPresign, costOfReport } from '../../../src/server/limits/request-cost.ts';
import { createAddressLimit, createRequestLimit } from '../../../src/server/limits/request-limit.ts';
import { parseConfig } from '../../../src/server/settings/config.ts';
import { checksumOf } from '../../suites/object-store.ts';
import { ADMIN_TOKEN, readProblem } from '../../support/server/control-plane.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';

const FILES_PER_SECOND = 200;
const SECONDS = 2;
const AUTHORIZED = { authorization: `Bearer ${ADMIN_TOKEN}` };
const DEFAULT_LIMIT = parseConfig({
  PARTWAY_S3_ENDPOINT: 'http://127.0.0.1:9000',
  PARTWAY_S3_BUCKET: 'uploads',
  PARTWAY_S3_ACCESS_KEY_ID: 'key',
  PARTWAY_S3_SECRET_ACCESS_KEY: 'secret',
}).edge.requestsPerSecond;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function pass(limit: (key: string) => Promise<void>, key: string, times: number): Promise<void> {
  for (let request = 0; request < times; request++) await limit(key);
}

describe('a rate limit', () => {
  it('allows a number of requests a second under one key, then says to come back in a second', async () => {
    const limit = createRequestLimit(50);
    await pass(limit, 'a', 50);
    await expect(limit('a')).rejects.toMatchObject({ code: 'RATE_LIMITED', facts: { retryAfterSeconds: 1 } });
    await pass(limit, 'b', 50);
    await vi.advanceTimersByTimeAsync(1_000);
    await pass(limit, 'a', 50);
    await expect(limit('a')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('can be switched off', async () => {
    await pass(createRequestLimit(null), 'a', 10_000);
  });

  it('is answered 429 with Retry-After, for the token and not for its address', async () => {
    const bench = new EdgeBench({ edge: { limitRequests: createRequestLimit(2) } });
    expect((await bench.list(ADMIN_TOKEN)).status).toBe(200);
    bench.address = '198.51.100.1';
    expect((await bench.list(ADMIN_TOKEN)).status).toBe(200);
    const response = await bench.list(ADMIN_TOKEN);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await readProblem(response)).toMatchObject({ status: 429, code: 'RATE_LIMITED', retryAfterSeconds: 1 });
    // Requests that need no token do not count.
    expect((await bench.send('GET', '/healthz')).status).toBe(200);
  });

  it('does not grow with the capabilities that a token grants itself', async () => {
    const bench = new EdgeBench({ edge: { limitRequests: createRequestLimit(10) } });
    const { sessionId } = await bench.openTinySession();
    const path = `/api/uploads/${sessionId}`;
    const tokens: string[] = [];
    for (let made = 0; made < 5; made++) {
      const response = await bench.send('POST', `${path}/capabilities`, AUTHORIZED, {});
      tokens.push(((await response.json()) as { token: string }).token);
    }
    const statuses: number[] = [];
    for (const token of tokens) {
      for (let request = 0; request < 10; request++)
        statuses.push((await bench.send('GET', path, { authorization: `Bearer ${token}` })).status);
    }
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(10);
  });
});

describe('a request that costs more than others', () => {
  it('takes as many points of the second as it costs', async () => {
    const limit = createRequestLimit(100);
    await limit('a');
    await limit('a', 30.9);
    await pass(limit, 'a', 69);
    await expect(limit('a')).rejects.toMatchObject({ code: 'RATE_LIMITED', facts: { retryAfterSeconds: 1 } });
  });

  it.each([1, 2, 3, 10, 2_000])('passes once a second even within a limit of %i', async (perSecond) => {
    const limit = createRequestLimit(perSecond);
    for (let second = 0; second < 3; second++) {
      await limit('a');
      await limit('a', 1_000_000);
      await limit('a', 1_000_000);
      await vi.advanceTimersByTimeAsync(1_000);
    }
  });

  it('is one with a large body, with many parts, sessions or segments', () => {
    expect(costOfBody(64 * 1_024)).toBe(16);
    expect(costOfPresign({ partNumbers: Array.from({ length: 1_000 }, (_, index) => index + 1) })).toBe(100);
    expect(costOfReport({ parts: Array.from({ length: 10_000 }, () => ({ partNumber: 1, etag: 'e' })) })).toBe(500);
    expect(costOfReport({})).toBe(0);
    expect(costOfList({ limit: 200 })).toBe(5);
    expect(costOfCreate({ fileName: 'film.mkv' })).toBe(0);
    expect(costOfCreate({ fileName: 'film.mkv', key: 'a/'.repeat(63) })).toBe(56);
    expect(costOfCreate({ fileName: 'a/b/c/d', keyTemplate: '{date}/{fileName}/{fileName}/{fileName}' })).toBe(5);
  });

  it.each<[string, string, string, object | undefined, number]>([
    ['a list', 'GET', '?limit=200', undefined, 5],
    ['a create of a deep key', 'POST', '', { fileName: 'a', size: 1, key: `${'a/'.repeat(40)}a` }, 15],
    [
      'URLs for many parts',
      'POST',
      '/{id}/parts/presign',
      { partNumbers: Array.from({ length: 250 }, (_, index) => index + 1) },
      15,
    ],
    [
      'a report of many parts',
      'POST',
      '/{id}/report',
      { clientId: 'c', parts: Array(400).fill({ partNumber: 1, etag: 'e' }) },
      15,
    ],
    ['a large body', 'POST', '/{id}/complete', { parts: Array(2_250).fill({ partNumber: 1, etag: 'e' }) }, 15],
  ])('is %s', async (_, method, path, body, cost) => {
    const bench = new EdgeBench({ edge: { limitRequests: createRequestLimit(45) } });
    const { sessionId } = await bench.openTinySession();
    await bench.send(method, `/api/uploads${path.replace('{id}', sessionId)}`, AUTHORIZED, body);
    const statuses: number[] = [];
    for (let request = 0; request < 44; request++)
      statuses.push((await bench.send('GET', `/api/uploads/${sessionId}`, AUTHORIZED)).status);
    // A third of the limit (15) is the most that each of the two costs can be.
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(cost);
  });
});

describe('a request that needs no token', () => {
  const LOOPBACK = '127.0.0.1';
  const PATHS = ['/healthz', '/readyz', '/openapi.json', '/problems/rate-limited', '/nosuch', '/c/pwc_x/nosuch'];
  const limited = (perSecond: number) =>
    new EdgeBench({ edge: { limitAddress: createAddressLimit((address) => address === LOOPBACK, perSecond) } });

  it.each(PATHS)('is limited for each address, IPv6 by its subnet: %s', async (path) => {
    const bench = limited(2);
    const ask = async (address: string) => {
      bench.address = address;
      return (await bench.send('GET', path)).status === 429;
    };
    expect([await ask('192.0.2.1'), await ask('192.0.2.1'), await ask('192.0.2.1')]).toEqual([false, false, true]);
    expect([await ask('2001:db8::1'), await ask('2001:db8::2'), await ask('2001:db8::3')]).toEqual([false, false, true]);
    expect(await ask('192.0.2.2')).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await ask('192.0.2.1')).toBe(false);
  });

  it('is never refused from exempt addresses', async () => {
    const bench = limited(1);
    bench.address = LOOPBACK;
    for (let request = 0; request < 5; request++) expect((await bench.send('GET', '/healthz')).status).toBe(200);
  });

  it('does not use up the limit of tokens', async () => {
    const bench = limited(1);
    for (let request = 0; request < 3; request++) await bench.send('GET', '/healthz');
    const response = await bench.send('GET', '/healthz');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await readProblem(response)).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    for (let request = 0; request < 3; request++) expect((await bench.list(ADMIN_TOKEN)).status).toBe(200);
  });
});

/** Uploads a small file: create, presign, report, complete. Resolves to the statuses that are not successes. */
async function uploadOne(bench: EdgeBench, name: string): Promise<number[]> {
  const file = Buffer.from(name);
  const checksum = checksumOf(file);
  const created = await bench.send('POST', '/api/uploads', AUTHORIZED, { fileName: name, size: file.length });
  if (!created.ok) return [created.status];
  const { sessionId } = (await created.json()) as { sessionId: string };
  const ask = async (what: string, body: object) =>
    (await bench.send('POST', `/api/uploads/${sessionId}/${what}`, AUTHORIZED, body)).status;
  const presigned = await ask('parts/presign', { partNumbers: [1], checksums: { 1: checksum } });
  const [part] = await bench.putParts(sessionId, file);
  const parts = [{ partNumber: 1, etag: part?.etag, checksum }];
  const reported = await ask('report', { clientId: 'client', parts, inFlightBytes: 0, bytesPerSecond: 0 });
  const completed = await ask('complete', { checksum });
  return [presigned, reported, completed].filter((status) => status !== 200);
}

/** Uses the time of the limiter, so that the result is the same on a slow host. */
async function uploadAtRate(bench: EdgeBench): Promise<number[]> {
  const troubles: number[] = [];
  for (let file = 0; file < FILES_PER_SECOND * SECONDS; file++) {
    troubles.push(...(await uploadOne(bench, `file-${file}.bin`)));
    await vi.advanceTimersByTimeAsync(1_000 / FILES_PER_SECOND);
  }
  return troubles;
}

describe('200 small files a second of one token', () => {
  it('pass by default', async () => {
    const bench = new EdgeBench({ edge: { limitRequests: createRequestLimit(DEFAULT_LIMIT) } });
    expect(await uploadAtRate(bench)).toEqual([]);
  });

  it('fail within a limit of a quarter of their requests', async () => {
    const bench = new EdgeBench({ edge: { limitRequests: createRequestLimit(FILES_PER_SECOND) } });
    expect(await uploadAtRate(bench)).toContain(429);
  });
});
