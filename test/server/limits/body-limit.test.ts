import { describe, expect, it } from 'vitest';
import { maxPartListBytes } from '../../../src/contract/paths.ts';
import type { BodyLimits } from '../../../src/server/limits/body-limit.ts';
import { RawConnection } from '../../support/network/raw-connection.ts';
import { ADMIN_TOKEN, readProblem } from '../../support/server/control-plane.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';

const KiB = 1_024;

async function listening(bodies: BodyLimits) {
  const bench = new EdgeBench({ edge: { bodies } });
  const { url } = await bench.listen();
  const { sessionId } = await bench.openTinySession();
  const path = `/api/uploads/${sessionId}/report`;
  const text = JSON.stringify({ clientId: 'client-1' });
  /** Sends a report without its last byte. */
  const begin = async (bytes: number, token = ADMIN_TOKEN, encoding = `content-length: ${bytes}\r\n\r\n`) => {
    const connection = await RawConnection.to(url);
    const head = `POST ${path} HTTP/1.1\r\nhost: partway\r\nconnection: close\r\ncontent-type: application/json\r\n`;
    connection.send(`${head}authorization: Bearer ${token}\r\n${encoding}${text.padEnd(bytes - 1)}`);
    return connection;
  };
  const report = (token = ADMIN_TOKEN) =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: text,
    });
  const untilRefused = (token?: string) => expect.poll(async () => (await report(token)).status).toBe(429);
  return { bench, begin, report, untilRefused, sessionId };
}

describe('arriving bodies', () => {
  it('are limited in bytes; more are refused with a time to come back, and one that is whole makes room', async () => {
    const { begin, report, untilRefused } = await listening({ inAll: 64 * KiB });
    const first = await begin(40 * KiB);
    const second = await begin(24 * KiB);
    await untilRefused();
    const response = await report();
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await readProblem(response)).toMatchObject({ code: 'RATE_LIMITED', detail: expect.stringContaining('bodies') });

    first.send(' ');
    expect((await first.answer()).status).toBe(200);
    expect((await report()).status).toBe(200);
    second.send(' ');
    expect((await second.answer()).status).toBe(200);
  });

  it('make room when their connections break', async () => {
    const { begin, report, untilRefused } = await listening({ inAll: 64 * KiB });
    const connection = await begin(64 * KiB);
    await untilRefused();
    connection.goAway();
    await expect.poll(async () => (await report()).status).toBe(200);
  });

  it('count with the most that they may become if they announce no length', async () => {
    const { begin, untilRefused } = await listening({ inAll: maxPartListBytes(3) });
    await begin(2, ADMIN_TOKEN, 'transfer-encoding: chunked\r\n\r\n1\r\n');
    await untilRefused();
  });

  it('of one token with all its capabilities do not keep other clients waiting', async () => {
    const { bench, begin, report, untilRefused, sessionId } = await listening({ perKey: 64 * KiB });
    const granted = async () => {
      const authorization = `Bearer ${ADMIN_TOKEN}`;
      const response = await bench.send('POST', `/api/uploads/${sessionId}/capabilities`, { authorization }, {});
      return ((await response.json()) as { token: string }).token;
    };
    const [one, another] = [await granted(), await granted()];
    const other = await bench.issueAdminToken();
    await begin(64 * KiB, one);
    await untilRefused(one);
    expect((await report(another)).status).toBe(429);
    expect((await report(other)).status).toBe(200);
  });
});
