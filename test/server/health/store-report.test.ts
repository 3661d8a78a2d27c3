import { beforeEach, describe, expect, it } from 'vitest';
import type { StoreReport } from '../../../src/contract/wire.ts';
import { createForgeryGuard } from '../../../src/server/health/forgery-guard.ts';
import { createStoreReport } from '../../../src/server/health/store-report.ts';
import { NOON } from '../../support/database/sessions.ts';
import { ControlPlaneBench } from '../../support/server/control-plane.ts';

let bench: ControlPlaneBench;
beforeEach(() => {
  bench = new ControlPlaneBench();
});
const ask = () => bench.ask<StoreReport>('GET', '/api/store');

describe('GET /api/store', () => {
  it('says where uploads go and what part URLs are signed with', async () => {
    const rights = { canRead: false, canList: true, canDelete: false };
    bench.objects.signingReport = { credentials: 'sts', expiresAt: NOON, ...rights };
    expect(await ask()).toEqual({
      bucket: 'bucket',
      keyPrefix: '',
      forgedWrites: 'unknown',
      signing: { credentials: 'sts', expiresAt: new Date(NOON).toISOString(), ...rights },
      corsOrigins: [],
    });
  });

  it('names the origins that may call the API, which the store must let send parts', async () => {
    const report = createStoreReport({ ...bench.deps, corsOrigins: ['https://app.example.com'] }, createForgeryGuard(bench.deps));
    expect(await report()).toMatchObject({ corsOrigins: ['https://app.example.com'] });
  });

  it('needs a token', async () => {
    expect(await bench.askForProblem('GET', '/api/store', { token: null })).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(bench.objects.calls).toEqual([]);
  });

  it('tries the store once a minute, however many clients ask', async () => {
    await Promise.all([ask(), ask()]);
    bench.clock.advance(59_999);
    await ask();
    expect(bench.objects.callsOf('signing')).toHaveLength(1);
    bench.objects.signingReport = { ...bench.objects.signingReport, canRead: true };
    bench.clock.advance(1);
    expect(await ask()).toMatchObject({ signing: { canRead: true } });
    expect(bench.objects.callsOf('signing')).toHaveLength(2);
  });

  it('keeps no failure', async () => {
    bench.objects.failNext('signing', 'unavailable');
    expect(await bench.askForProblem('GET', '/api/store')).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await ask()).toMatchObject({ bucket: 'bucket' });
  });
});
