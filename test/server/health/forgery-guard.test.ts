import { beforeEach, describe, expect, it } from 'vitest';
import { type ForgeryVerdict, ObjectStoreError } from '../../../src/object-store/port.ts';
import { createForgeryGuard, type ForgeryGuard } from '../../../src/server/health/forgery-guard.ts';
import { ControlPlaneBench, POLICY, TestClock } from '../../support/server/control-plane.ts';

const SECOND = 1_000;
const refusal = { code: 'STORE_OPEN_TO_FORGERY' };

let clock: TestClock;
let answer: () => Promise<ForgeryVerdict>;
let asked: number;
let log: string[];
beforeEach(() => {
  clock = new TestClock();
  asked = 0;
  log = [];
  answer = async () => 'shielded';
});

function aGuard(allowForgery = false): ForgeryGuard {
  const bench = new ControlPlaneBench();
  bench.objects.tryForgery = () => {
    asked++;
    return answer();
  };
  const logTo = (level: string) => (_fields: object, message: string) => void log.push(`${level}: ${message}`);
  return createForgeryGuard({
    objects: bench.objects,
    now: clock.now,
    log: { info: logTo('info'), warn: logTo('warn'), error: logTo('error') },
    policy: { ...POLICY, allowForgery },
  });
}

/** Lets background work end, which waits for nothing else. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('the forgery guard', () => {
  it.each(['shielded', 'no-hole', 'unknown', 'no-such-id'] as const)(
    'lets uploads begin at a store that is %s',
    async (verdict) => {
      answer = async () => verdict;
      const guard = aGuard();
      expect(guard.verdict()).toBe('unknown');
      await guard.check();
      expect(guard.verdict()).toBe(verdict);
    },
  );

  it('refuses an open store, and takes it once it is closed', async () => {
    answer = async () => 'open';
    const guard = aGuard();
    await expect(guard.check()).rejects.toMatchObject(refusal);
    answer = async () => 'shielded';
    await expect(guard.check()).rejects.toMatchObject(refusal);
    clock.advance(10 * SECOND);
    await guard.check();
    expect(asked).toBe(2);
    expect(log).toEqual([expect.stringContaining('error: the object store does not check'), expect.stringContaining('info: ')]);
  });

  it('waits for the first verdict, which all waiting callers share', async () => {
    let found: (verdict: ForgeryVerdict) => void = () => {};
    answer = () => new Promise((resolve) => (found = resolve));
    const guard = aGuard();
    const checks = [guard.check(), guard.check()];
    found('open');
    const outcomes = await Promise.allSettled(checks);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(asked).toBe(1);
  });

  it('reports that the store does not answer, and asks again', async () => {
    answer = () => Promise.reject(new ObjectStoreError('unavailable', 'no answer'));
    const guard = aGuard();
    await expect(guard.check()).rejects.toMatchObject({ failure: 'unavailable' });
    answer = async () => 'no-hole';
    await guard.check();
    expect(asked).toBe(2);
  });

  it('asks a good store again after a minute, beside the uploads, and notices that it is open now', async () => {
    const guard = aGuard();
    await guard.check();
    answer = async () => 'open';
    clock.advance(59 * SECOND);
    await guard.check();
    expect(asked).toBe(1);
    clock.advance(SECOND);
    await guard.check();
    await settle();
    await expect(guard.check()).rejects.toMatchObject(refusal);
  });

  it('keeps a verdict that cannot be renewed, and says so', async () => {
    const guard = aGuard();
    await guard.check();
    answer = () => Promise.reject(new ObjectStoreError('unavailable', 'no answer'));
    clock.advance(60 * SECOND);
    await guard.check();
    await settle();
    await guard.check();
    expect(log.at(-1)).toContain('warn: it could not be found out whether the object store takes forged writes');
  });

  it('where forgery is allowed, warns of an open store and lets uploads begin', async () => {
    answer = async () => 'open';
    const guard = aGuard(true);
    await guard.check();
    await settle();
    await guard.check();
    expect(guard.verdict()).toBe('open');
    expect(log).toEqual([expect.stringContaining('PARTWAY_S3_ALLOW_FORGERY')]);
  });
});

describe('a server at a store that takes forged writes', () => {
  it('creates no session and is not ready; sessions that exist go on', async () => {
    const bench = new ControlPlaneBench();
    const session = await bench.create();
    bench.objects.forgeryVerdict = 'open';
    bench.clock.advance(60 * SECOND);
    await bench.send('GET', '/readyz', { token: null });
    await settle();

    const problem = await bench.askForProblem('POST', '/api/uploads', { body: { fileName: 'other.bin', size: 5 } });
    expect(problem).toMatchObject({ status: 503, code: 'STORE_OPEN_TO_FORGERY' });
    bench.clock.advance(10 * SECOND);
    const readyz = await bench.askForProblem('GET', '/readyz', { token: null });
    expect(readyz).toMatchObject({ status: 503, ready: false, checks: { forgedWrites: { ok: false } } });
    const presign = await bench.send('POST', `/api/uploads/${session.sessionId}/parts/presign`, { body: { partNumbers: [1] } });
    expect(presign.status).toBe(200);
  });
});
