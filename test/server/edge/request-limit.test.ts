import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseConfig } from '../../../src/server/config.ts';
import { createRequestLimit } from '../../../src/server/edge/request-limit.ts';
import { checksumOf } from '../../contract/object-store.ts';
import { ADMIN_TOKEN, readProblem } from '../../support/control-plane.ts';
import { EdgeBench } from '../../support/edge-bench.ts';

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

describe('a limit of requests', () => {
  it('is so many in a second under one key, and then says to come back in a second', async () => {
    const limit = createRequestLimit(50);
    await pass(limit, 'a', 50);
    await expect(limit('a')).rejects.toMatchObject({ code: 'RATE_LIMITED', facts: { retryAfterSeconds: 1 } });
    await pass(limit, 'b', 50);
    await vi.advanceTimersByTimeAsync(1_000);
    await pass(limit, 'a', 50);
    await expect(limit('a')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('can be none', async () => {
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
    // What anybody may ask counts for nobody.
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

/** A whole upload of a small file: create, presign, report, complete. Resolves to the statuses that are no success. */
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

/** In the time of the limiter, so that the result is the same on a slow machine. */
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

  it('would not within a limit of a quarter of their requests', async () => {
    const bench = new EdgeBench({ edge: { limitRequests: createRequestLimit(FILES_PER_SECOND) } });
    expect(await uploadAtRate(bench)).toContain(429);
  });
});
