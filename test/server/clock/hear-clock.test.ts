import { expect, it } from 'vitest';
import { ControlPlaneBench } from '../../support/server/control-plane.ts';

it('the time of a client is recorded under its token, with all its capabilities, and only for authenticated clients', async () => {
  const heard: unknown[] = [];
  const bench = new ControlPlaneBench({ hearClock: (...told) => heard.push(told) });
  const session = await bench.create();
  const { token } = await bench.ask<{ token: string }>('POST', `/api/uploads/${session.sessionId}/capabilities`, { body: {} });
  const [admin] = heard[0] as [string];
  heard.length = 0;
  const date = 'Mon, 30 Nov 2026 12:00:00 GMT';

  await bench.send('GET', `/api/uploads/${session.sessionId}/progress`, { headers: { date } });
  await bench.send('GET', `/api/uploads/${session.sessionId}/progress`, { headers: { date }, token });
  await bench.send('GET', '/api/uploads', { headers: { date }, token: 'pw_a-token-that-nobody-made' });
  await bench.send('GET', '/healthz', { headers: { date } });

  expect(heard).toEqual([
    [admin, date],
    [admin, date],
  ]);
});
