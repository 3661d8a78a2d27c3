import { describe, expect, it } from 'vitest';
import { type BodyTime, createBodyTime } from '../../../src/server/limits/body-time.ts';
import { ADMIN_TOKEN, readProblem } from '../../support/server/control-plane.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';

/** A limit on a clock that the test moves. */
class Bench {
  at = 0;
  readonly time: BodyTime = createBodyTime(() => this.at);

  take(ms: number, isAccepted: boolean, key = 'a'): void {
    const end = this.time.begin(key);
    this.at += ms;
    end(isAccepted);
  }
}

const BUSY = { code: 'RATE_LIMITED', facts: { retryAfterSeconds: expect.any(Number) } };

describe('the time that bodies take', () => {
  it('is owed by their key alone, and paid back at a tenth of the passing time', () => {
    const bench = new Bench();
    bench.take(500, false);
    expect(() => bench.time.check('a')).toThrow(
      expect.objectContaining({ code: 'RATE_LIMITED', facts: { retryAfterSeconds: 3 } }),
    );
    bench.time.check('b');
    bench.at += 2_999;
    expect(() => bench.time.check('a')).toThrow(expect.objectContaining(BUSY));
    bench.at += 1;
    bench.time.check('a');
  });

  it('keeps no key waiting for longer than eight seconds', () => {
    const bench = new Bench();
    for (let body = 0; body < 10; body++) bench.take(5_000, false);
    expect(() => bench.time.check('a')).toThrow(expect.objectContaining({ facts: { retryAfterSeconds: 8 } }));
  });

  it('is not counted for accepted bodies of everyday size, however many arrive', () => {
    const bench = new Bench();
    for (let body = 0; body < 10_000; body++) bench.take(4, true);
    bench.time.check('a');
  });

  it('is counted for refused bodies of any size', () => {
    const bench = new Bench();
    for (let body = 0; body < 100; body++) bench.take(4, false);
    expect(() => bench.time.check('a')).toThrow(expect.objectContaining(BUSY));
  });

  it('is counted for accepted bodies beyond the time of an everyday one', () => {
    const bench = new Bench();
    for (let body = 0; body < 3; body++) bench.take(104, true);
    expect(() => bench.time.check('a')).toThrow(expect.objectContaining(BUSY));
  });

  it('ends once', () => {
    const bench = new Bench();
    const end = bench.time.begin('a');
    end(true);
    bench.at += 10_000;
    end(false);
    bench.time.check('a');
  });
});

describe('a token whose bodies took too long', () => {
  const AUTHORIZED = { authorization: `Bearer ${ADMIN_TOKEN}` };

  /** An edge for which each read of the clock takes as long as the test says. */
  async function busyBench() {
    let at = 0;
    let step = 0;
    const bodyTime = createBodyTime(() => {
      at += step;
      return at;
    });
    const bench = new EdgeBench({ edge: { bodyTime } });
    const { sessionId } = await bench.openTinySession();
    const report = (body: object, headers: Record<string, string> = AUTHORIZED) =>
      bench.send('POST', `/api/uploads/${sessionId}/report`, headers, body);
    return {
      bench,
      report,
      sessionId,
      takeFrom: (ms: number) => {
        step = ms;
      },
    };
  }

  it.each<[string, object | string]>([
    ['a field that is wrong', { clientId: '' }],
    ['lists in lists', { clientId: [[[[[[[[[[[]]]]]]]]]]] }],
  ])('must wait before its next body is read, unlike other tokens: %s', async (_, body) => {
    const { bench, report, takeFrom } = await busyBench();
    takeFrom(300);
    expect((await report(body as object)).status).toBe(400);
    takeFrom(0);
    const response = await report({ clientId: 'c' });
    expect(response.headers.get('retry-after')).toMatch(/^\d$/);
    expect(await readProblem(response)).toMatchObject({ code: 'RATE_LIMITED', detail: expect.stringContaining('time') });
    const other = await bench.issueAdminToken();
    expect((await report({ clientId: 'c' }, { authorization: `Bearer ${other}` })).status).toBe(200);
    // A request without a body is charged no body time.
    expect((await bench.list(ADMIN_TOKEN)).status).toBe(200);
  });

  it('is charged for a body that is not JSON at all', async () => {
    const { bench, report, sessionId, takeFrom } = await busyBench();
    takeFrom(300);
    const headers = { ...AUTHORIZED, 'content-type': 'application/json' };
    const response = await bench.app.request(`/api/uploads/${sessionId}/report`, {
      method: 'POST',
      headers,
      body: '{"clientId":',
    });
    expect(response.status).toBe(400);
    takeFrom(0);
    expect((await report({ clientId: 'c' })).status).toBe(429);
  });

  it('also pays for the bodies of its capabilities', async () => {
    const { bench, report, sessionId, takeFrom } = await busyBench();
    const granted = await bench.send('POST', `/api/uploads/${sessionId}/capabilities`, AUTHORIZED, {});
    const { token } = (await granted.json()) as { token: string };
    takeFrom(300);
    await report({ clientId: '' }, { authorization: `Bearer ${token}` });
    takeFrom(0);
    expect((await report({ clientId: 'c' })).status).toBe(429);
  });
});
