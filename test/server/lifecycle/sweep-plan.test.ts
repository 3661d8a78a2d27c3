import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { planSweep } from '../../../src/server/lifecycle/sweep-plan.ts';
import { sweep } from '../../../src/server/lifecycle/sweeper.ts';
import { aReport } from '../../support/database/sessions.ts';
import { ServiceBench, TINY_FILE } from '../../support/server/control-plane.ts';

const DAY_MS = 86_400_000;

let bench: ServiceBench;
beforeEach(() => {
  bench = new ServiceBench();
  onTestFinished(() => bench.sessions.close());
});
const plan = () => planSweep(bench.sessions, bench.clock.now(), 7 * DAY_MS);

describe('what a sweep would do', () => {
  it('is nothing for sessions that are alive', async () => {
    await bench.openTinySession();
    bench.clock.advance(6 * DAY_MS);
    expect(await plan()).toEqual([]);
  });

  it('names expiring sessions with their bytes, and is what a sweep then does', async () => {
    const { sessionId } = await bench.openTinySession();
    const parts = await bench.putParts(sessionId, TINY_FILE, [1, 2]);
    await bench.sessions.report(aReport(sessionId, { parts, at: bench.clock.now() }));
    bench.clock.advance(8 * DAY_MS);

    expect(await plan()).toMatchObject([{ action: 'expire', sessionId, status: 'open', heldBytes: 8, key: 'tiny.bin' }]);
    expect(await bench.session(sessionId)).toMatchObject({ status: 'open' });

    expect(await sweep(bench.deps)).toMatchObject({ expired: 1 });
    expect(await plan()).toEqual([]);
  });

  it('adds up to the held bytes of the metrics where it names every session', async () => {
    for (const [key, count] of [
      ['a', 1],
      ['b', 3],
    ] as const) {
      const { sessionId } = await bench.openTinySession({ key });
      const parts = (await bench.putParts(sessionId, TINY_FILE)).slice(0, count);
      await bench.sessions.report(aReport(sessionId, { parts, at: bench.clock.now() }));
    }
    bench.clock.advance(8 * DAY_MS);

    const planned = (await plan()).map(({ heldBytes }) => heldBytes);
    expect(planned.sort()).toEqual([10, 4]);
    expect(await bench.metrics.expose()).toContain('\npartway_held_bytes 14\n');
  });

  it('names what a crash left half-way, once no request can be in progress any more', async () => {
    const { sessionId } = await bench.openTinySession();
    const from = { sessionId, status: 'open', generation: 1 } as const;
    await bench.sessions.changeStatus(from, { to: 'completing', at: bench.clock.now() });
    expect(await plan()).toEqual([]);

    bench.clock.advance(16 * 60_000);

    expect(await plan()).toMatchObject([{ action: 'repair', sessionId, status: 'completing' }]);
  });

  it('names uploads that are left over or suspected', async () => {
    const { sessionId } = await bench.openTinySession();
    await bench.sessions.startGeneration({ sessionId, status: 'open', generation: 1 }, bench.clock.now());
    await bench.sessions.suspectOrphan(sessionId, bench.clock.now());
    bench.clock.advance(16 * 60_000);

    expect((await plan()).map(({ action, status }) => `${action} ${status}`)).toEqual([
      'repair creating',
      'release left over',
      'release suspected',
    ]);
  });

  it('names a session that is both idle and stuck once', async () => {
    const { sessionId } = await bench.openTinySession();
    await bench.sessions.startGeneration({ sessionId, status: 'open', generation: 1 }, bench.clock.now());
    bench.clock.advance(8 * DAY_MS);

    expect((await plan()).filter((each) => each.sessionId === sessionId).map(({ action }) => action)).toEqual([
      'expire',
      'release',
    ]);
  });
});
