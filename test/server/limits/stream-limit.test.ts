import { describe, expect, it } from 'vitest';
import type { StreamLimits } from '../../../src/server/limits/stream-limit.ts';
import { ADMIN_TOKEN, readProblem } from '../../support/server/control-plane.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';

async function watched(streams: StreamLimits) {
  const bench = new EdgeBench({ edge: { streams } });
  const sessions = [(await bench.openTinySession()).sessionId, (await bench.openTinySession({ key: 'b' })).sessionId] as const;
  const watch = (sessionId: string, token = ADMIN_TOKEN) =>
    bench.send('GET', `/api/uploads/${sessionId}/progress`, { authorization: `Bearer ${token}`, accept: 'text/event-stream' });
  const grant = async (sessionId: string) => {
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    const response = await bench.send('POST', `/api/uploads/${sessionId}/capabilities`, { authorization }, {});
    return ((await response.json()) as { token: string }).token;
  };
  /** Opens streams one after the other, which go on. */
  const statuses = async (...asked: (readonly [sessionId: string, token?: string])[]) => {
    const answers: number[] = [];
    for (const [sessionId, token] of asked) answers.push((await watch(sessionId, token)).status);
    return answers;
  };
  return { bench, sessions, watch, grant, statuses };
}

describe('live streams', () => {
  it('of one token are limited; more are refused, polling goes on, and one that ends makes room', async () => {
    const { bench, sessions, watch } = await watched({ perToken: 2 });
    const first = await watch(sessions[0]);
    expect((await watch(sessions[1])).status).toBe(200);

    const response = await watch(sessions[0]);
    expect(response.headers.get('retry-after')).toBe('10');
    expect(await readProblem(response)).toMatchObject({
      code: 'RATE_LIMITED',
      detail: expect.stringContaining('2 live streams'),
    });
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    expect((await bench.send('GET', `/api/uploads/${sessions[0]}/progress`, { authorization })).status).toBe(200);
    expect((await watch(sessions[0], await bench.issueAdminToken())).status).toBe(200);

    await first.body?.cancel();
    await expect.poll(async () => (await watch(sessions[0])).status).toBe(200);
  });

  it('that end with their session make room', async () => {
    const { bench, sessions, watch } = await watched({ perToken: 1 });
    const stream = await watch(sessions[0]);
    await bench.send('DELETE', `/api/uploads/${sessions[0]}`, { authorization: `Bearer ${ADMIN_TOKEN}` });
    await stream.text();
    expect((await watch(sessions[1])).status).toBe(200);
  });

  it('of one session are limited, for all tokens together', async () => {
    const { bench, sessions, statuses } = await watched({ perSession: 2 });
    const other = await bench.issueAdminToken();
    const [session, another] = sessions;
    expect(await statuses([session], [session, other], [session, other], [another])).toEqual([200, 200, 429, 200]);
  });

  it('of a token do not grow with the capabilities that it grants, though each capability has its own', async () => {
    const { sessions, grant, statuses } = await watched({ perToken: 1, perGrantor: 2 });
    const [session] = sessions;
    const [one, two, three] = [await grant(session), await grant(session), await grant(session)];
    const asked = statuses([session, one], [session, one], [session, two], [session, three]);
    expect(await asked).toEqual([200, 429, 200, 429]);
  });

  it('do not count when they are refused, or requested by HEAD', async () => {
    const { bench, sessions, statuses } = await watched({ perToken: 1, perSession: 1 });
    const other = await bench.issueAdminToken();
    const head = { authorization: `Bearer ${other}`, accept: 'text/event-stream' };
    for (let time = 0; time < 3; time++) await bench.send('HEAD', `/api/uploads/${sessions[0]}/progress`, head);
    expect(await statuses([sessions[0]], [sessions[0], other], [sessions[1], other])).toEqual([200, 429, 200]);
  });
});
