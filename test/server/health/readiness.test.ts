import { beforeEach, describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../../src/contract/problems.ts';
import type * as wire from '../../../src/contract/wire.ts';
import { createForgeryGuard } from '../../../src/server/health/forgery-guard.ts';
import { createReadiness } from '../../../src/server/health/readiness.ts';
import { ControlPlaneBench } from '../../support/server/control-plane.ts';

let bench: ControlPlaneBench;
let readiness: (requestId: string) => Promise<wire.Readiness>;
beforeEach(() => {
  bench = new ControlPlaneBench();
  readiness = createReadiness(bench.deps, createForgeryGuard(bench.deps));
});

const timesAsked = () => bench.objects.callsOf('checkBucket').length;

describe('readiness', () => {
  it.each([
    ['bucket', 'checkBucket'],
    ['signing', 'checkSigning'],
  ] as const)('names the %s that is missing', async (name, method) => {
    bench.objects.failNext(method, 'refused');
    const missing = { ok: false, code: 'STORE_REFUSED', detail: PROBLEMS.STORE_REFUSED.title };
    const good = { database: { ok: true }, bucket: { ok: true }, signing: { ok: true }, forgedWrites: { ok: true } };
    expect(await readiness('request-1')).toEqual({ ready: false, checks: { ...good, [name]: missing } });
  });

  it('says that the store takes forged writes', async () => {
    bench.objects.forgeryVerdict = 'open';
    const { ready, checks } = await readiness('request-1');
    expect(ready).toBe(false);
    expect(checks.forgedWrites).toEqual({
      ok: false,
      code: 'STORE_OPEN_TO_FORGERY',
      detail: PROBLEMS.STORE_OPEN_TO_FORGERY.title,
    });
  });

  it('names everything that is missing, not only the first of it', async () => {
    bench.objects.failNext('checkBucket', 'unavailable');
    bench.objects.failNext('checkSigning', 'unavailable');
    await bench.sessions.close();
    const { checks } = await readiness('request-1');
    expect(Object.entries(checks).map(([name, { ok }]) => [name, ok])).toEqual([
      ['database', false],
      ['bucket', false],
      ['signing', false],
      ['forgedWrites', true],
    ]);
  });

  it('is checked once for all simultaneous requests, and for all within a second', async () => {
    const answers = await Promise.all(['1', '2', '3'].map(readiness));
    bench.clock.advance(999);
    answers.push(await readiness('4'));
    expect(answers.map(({ ready }) => ready)).toEqual([true, true, true, true]);
    expect(timesAsked()).toBe(1);
  });

  it('is checked again after a second: neither success nor failure is kept', async () => {
    bench.objects.failNext('checkBucket', 'unavailable');
    expect((await readiness('1')).ready).toBe(false);
    bench.clock.advance(1_000);
    expect((await readiness('2')).ready).toBe(true);
    bench.objects.failNext('checkBucket', 'unavailable');
    bench.clock.advance(1_000);
    expect((await readiness('3')).ready).toBe(false);
  });

  it('is not kept for longer when the clock is set back', async () => {
    await readiness('1');
    bench.clock.advance(-3_600_000);
    await readiness('2');
    expect(timesAsked()).toBe(2);
  });
});

describe('/readyz of a server that stops', () => {
  it('says so with 503, makes no checks, and everything else goes on', async () => {
    const stopping = new ControlPlaneBench({ stopping: AbortSignal.abort() });
    expect(await stopping.askForProblem('GET', '/readyz', { token: null })).toMatchObject({
      status: 503,
      code: 'STOPPING',
      ready: false,
      checks: { server: { ok: false, code: 'STOPPING' } },
    });
    expect(stopping.objects.calls).toEqual([]);
    expect(await stopping.create()).toMatchObject({ status: 'open' });
    expect((await stopping.send('GET', '/healthz')).status).toBe(200);
  });
});
