import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { hashToken } from '../../../src/server/access/auth.ts';
import { startSweeper, sweep } from '../../../src/server/lifecycle/sweeper.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { SessionStoreUnavailable } from '../../../src/session-store/port/unavailable.ts';
import { interpose } from '../../support/interpose.ts';
import { type AdminService, adminService, POLICY, ServiceBench, TINY_FILE } from '../../support/server/control-plane.ts';
import { FakeObjectStore } from '../../support/store/fake-object-store.ts';

const GRACE = 15 * 60_000;

let bench: ServiceBench;
let service: AdminService;
beforeEach(() => {
  bench = new ServiceBench();
  service = adminService(bench.deps);
});

const statusOf = async (sessionId: string) => (await bench.session(sessionId)).status;
const quiet = { expired: 0, repaired: 0, released: 0, failed: 0 };
const create = (key: string) => service.create({ fileName: key, size: 1, overwrite: true }, `idempotency-of-${key}`);

/** A create whose answer from the store got lost: the upload exists, and its id is unknown. */
async function createWithLostAnswer(key: string): Promise<string> {
  bench.objects.failNext('createMultipartUpload', 'unavailable', { afterEffect: true });
  await expect(create(key)).rejects.toMatchObject({ failure: 'unavailable' });
  const [session] = (await bench.sessions.list({ limit: 1 })).sessions;
  if (session?.key !== key) throw new Error('the session was not inserted');
  return session.sessionId;
}

async function leaveCompleting(key: string, afterEffect: boolean): Promise<string> {
  const { sessionId } = await bench.openTinySession({ key });
  await bench.putParts(sessionId, TINY_FILE);
  bench.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect });
  await expect(service.complete(sessionId, {})).rejects.toThrow();
  return sessionId;
}

async function leaveAborting(key: string): Promise<string> {
  const { sessionId } = await bench.openTinySession({ key });
  bench.objects.failNext('abortMultipartUpload', 'unavailable');
  await expect(service.abort(sessionId)).rejects.toThrow();
  return sessionId;
}

describe('expiry', () => {
  it('ends a session whose last activity is longer ago than its lifetime, and the store holds nothing of it', async () => {
    const { sessionId } = await bench.openTinySession();
    await bench.putParts(sessionId, TINY_FILE, [1]);
    bench.clock.advance(POLICY.sessionTtlMs);
    expect(await sweep(bench.deps)).toEqual(quiet);
    bench.clock.advance(1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, expired: 1 });
    expect(await service.get(sessionId)).toMatchObject({ status: 'expired', storedBytes: 0, expiresAt: null });
    expect(bench.objects.uploadIds).toEqual([]);
  });

  it('ends it neither before nor after the moment that the session announced', async () => {
    const { sessionId } = await bench.openTinySession();
    const { expiresAt } = await service.get(sessionId);
    bench.clock.at = Date.parse(String(expiresAt));
    await sweep(bench.deps);
    expect(await statusOf(sessionId)).toBe('open');
    bench.clock.advance(1);
    await sweep(bench.deps);
    expect(await statusOf(sessionId)).toBe('expired');
  });

  it.each<[string, (sessionId: string) => Promise<unknown>]>([
    ['presigning', (sessionId) => service.presign(sessionId, { partNumbers: [1] })],
    ['a report', (sessionId) => service.report(sessionId, { clientId: 'c' })],
    ['asking for the parts', (sessionId) => service.parts(sessionId)],
  ])('is delayed by %s', async (_, act) => {
    const { sessionId } = await bench.openTinySession();
    bench.clock.advance(POLICY.sessionTtlMs);
    await act(sessionId);
    bench.clock.advance(POLICY.sessionTtlMs);
    await sweep(bench.deps);
    expect(await statusOf(sessionId)).toBe('open');
  });

  it('is not delayed by watching', async () => {
    const { sessionId } = await bench.openTinySession();
    bench.clock.advance(POLICY.sessionTtlMs + 1);
    await service.progress(sessionId);
    await service.get(sessionId);
    await sweep(bench.deps);
    expect(await statusOf(sessionId)).toBe('expired');
  });

  it('spares a session whose client came back while the sweep was busy with another one', async () => {
    const first = await bench.openTinySession({ key: 'a' });
    bench.clock.advance(1);
    const second = await bench.openTinySession({ key: 'b' });
    bench.clock.advance(POLICY.sessionTtlMs + 1);
    bench.objects.beforeNext('abortMultipartUpload', () => service.presign(second.sessionId, { partNumbers: [1] }));
    expect(await sweep(bench.deps)).toEqual({ ...quiet, expired: 1 });
    expect(await statusOf(first.sessionId)).toBe('expired');
    expect(await statusOf(second.sessionId)).toBe('open');
    expect(bench.objects.uploadIds).toEqual([second.uploadId]);
  });

  it('never touches a completed session or its object', async () => {
    const { sessionId } = await bench.openTinySession();
    await bench.putParts(sessionId, TINY_FILE);
    await service.complete(sessionId, {});
    bench.clock.advance(10 * POLICY.sessionTtlMs);
    await sweep(bench.deps, 0);
    expect(await statusOf(sessionId)).toBe('completed');
    expect(bench.objects.read('tiny.bin')).toEqual(TINY_FILE);
  });

  it('ends sessions that never became open, too', async () => {
    const sessionId = await createWithLostAnswer('a');
    bench.clock.advance(POLICY.sessionTtlMs + 1);
    await sweep(bench.deps);
    expect(await statusOf(sessionId)).toBe('expired');
    bench.clock.advance(GRACE + 1);
    await sweep(bench.deps);
    expect(bench.objects.uploadIds).toEqual([]);
  });
});

describe('while the clock is not trusted', () => {
  const doubted = () => sweep(bench.deps, GRACE, { mayExpire: false });

  it('nothing expires and nothing is deleted, however long ago it was due; all of it happens once the clock is trusted', async () => {
    const sessionId = (await create('a')).session.sessionId;
    const never = await createWithLostAnswer('b');
    const { capabilityId: _, ...capability } = await service.grantCapability(sessionId, { expiresInSeconds: 60 });
    bench.clock.advance(4_000 * 86_400_000);
    await doubted();
    expect([await statusOf(sessionId), await statusOf(never)]).toEqual(['open', 'open']);
    expect((await create('a')).session.sessionId).toBe(sessionId);
    expect(await bench.sessions.findCapabilityByHash(hashToken(capability.token))).toBeDefined();

    bench.clock.advance(POLICY.sessionTtlMs + 1);
    await sweep(bench.deps);
    expect([await statusOf(sessionId), await statusOf(never)]).toEqual(['expired', 'expired']);
    expect(await bench.sessions.findCapabilityByHash(hashToken(capability.token))).toBeUndefined();
    expect((await create('a')).session.sessionId).not.toBe(sessionId);
  });

  it('leftovers of a crash are repaired nevertheless', async () => {
    const ids = [await createWithLostAnswer('a'), await leaveCompleting('b', false), await leaveAborting('c')];
    bench.clock.advance(GRACE + 1);
    expect(await doubted()).toMatchObject({ repaired: 3, failed: 0, expired: 0 });
    expect(await Promise.all(ids.map(statusOf))).toEqual(['open', 'completed', 'aborted']);
  });

  it('a sweeper asks at the beginning of each sweep', async () => {
    const { sessionId } = await bench.openTinySession();
    bench.clock.advance(POLICY.sessionTtlMs + 1);
    let mayExpire = false;
    const reports: unknown[] = [];
    const sweeper = startSweeper(
      bench.deps,
      5,
      ({ report }) => reports.push(report),
      async () => mayExpire,
    );
    onTestFinished(() => sweeper.stop());
    await vi.waitFor(() => expect(reports.length).toBeGreaterThan(2), 30_000);
    expect(await statusOf(sessionId)).toBe('open');
    mayExpire = true;
    await vi.waitFor(async () => expect(await statusOf(sessionId)).toBe('expired'), 30_000);
  });
});

describe('repairing what a crash left behind', () => {
  it('opens a session left creating', async () => {
    const sessionId = await createWithLostAnswer('a');
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toMatchObject({ repaired: 1, failed: 0 });
    expect(await statusOf(sessionId)).toBe('open');
  });

  it.each([true, false])('completes a session left completing (the store had done it: %s)', async (afterEffect) => {
    const sessionId = await leaveCompleting('a', afterEffect);
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 1 });
    expect(await statusOf(sessionId)).toBe('completed');
    expect(bench.objects.read('a')).toEqual(TINY_FILE);
  });

  it('opens a session left completing if its parts are not complete any more', async () => {
    const sessionId = await leaveCompleting('a', false);
    bench.objects.losePart(String((await bench.session(sessionId)).uploadId), 2);
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 1 });
    expect(await statusOf(sessionId)).toBe('open');
  });

  it('ends a session left aborting', async () => {
    const sessionId = await leaveAborting('a');
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 1 });
    expect(await statusOf(sessionId)).toBe('aborted');
    expect(bench.objects.uploadIds).toEqual([]);
  });

  it('ends a session that is aborting after the two minutes of an abort request, not after the grace time of others', async () => {
    const sessionId = await leaveAborting('a');
    bench.clock.advance(2 * 60_000);
    expect(await sweep(bench.deps)).toEqual(quiet);
    bench.clock.advance(1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 1 });
    expect(await statusOf(sessionId)).toBe('aborted');
  });

  it('ends a half-done expiry as expired', async () => {
    const { sessionId } = await bench.openTinySession();
    bench.clock.advance(POLICY.sessionTtlMs + 1);
    bench.objects.failNext('abortMultipartUpload', 'unavailable');
    expect(await sweep(bench.deps)).toEqual({ ...quiet, failed: 1 });
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 1 });
    expect(await statusOf(sessionId)).toBe('expired');
  });

  it('touches nothing within the grace time of running requests', async () => {
    await createWithLostAnswer('a');
    await leaveCompleting('b', false);
    bench.clock.advance(GRACE);
    bench.objects.calls.length = 0;
    expect(await sweep(bench.deps)).toEqual(quiet);
    expect(bench.objects.calls).toEqual([]);
  });

  it('repairs at once at the start of a server, when no request can be in progress', async () => {
    const ids = [await createWithLostAnswer('a'), await leaveCompleting('b', false), await leaveAborting('c')];
    expect(await sweep(bench.deps, 0)).toMatchObject({ repaired: 3, failed: 0 });
    expect(await Promise.all(ids.map(statusOf))).toEqual(['open', 'completed', 'aborted']);
  });

  it('goes no further than one batch while the database cannot be written: all others would fail as well', async () => {
    for (let count = 0; count < 101; count++) await leaveAborting(`stuck-${count}`);
    bench.clock.advance(GRACE + 1);
    const sessions = interpose<SessionStore>(bench.sessions, async (method, call) => {
      if (method === 'changeStatus') throw new SessionStoreUnavailable('no room', 'full');
      return call();
    });
    expect(await sweep({ ...bench.deps, sessions })).toEqual({ ...quiet, failed: 100 });
  });

  it('goes on until nothing is left', async () => {
    for (let count = 0; count < 201; count++) await leaveAborting(`stuck-${count}`);
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 201 });
  });

  it('does not let one session that fails stop the others, and logs which one it was', async () => {
    const bad = await leaveAborting('a');
    bench.clock.advance(1);
    const good = await leaveAborting('b');
    bench.clock.advance(GRACE + 1);
    bench.objects.failNext('abortMultipartUpload', 'unavailable');
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 1, failed: 1 });
    expect([await statusOf(bad), await statusOf(good)]).toEqual(['aborting', 'aborted']);
    expect(bench.logged).toMatchObject([{ level: 'warn', fields: { sessionId: bad } }]);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 1 });
  });
});

describe('leftovers and orphans', () => {
  it('aborts the upload of a generation that was left behind', async () => {
    const { sessionId, uploadId } = await bench.openTinySession({ fingerprint: 'f' });
    bench.objects.failNext('abortMultipartUpload', 'unavailable');
    const again = { fileName: 'tiny.bin', size: TINY_FILE.length, fingerprint: 'f', strategy: 'single' } as const;
    await expect(service.create(again)).rejects.toThrow();
    expect(bench.objects.uploadIds).toHaveLength(2);
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, released: 1 });
    expect(bench.objects.uploadIds).not.toContain(uploadId);
    expect(bench.objects.uploadIds).toEqual([(await bench.session(sessionId)).uploadId]);
  });

  it.each([
    ['completed', (sessionId: string) => service.complete(sessionId, {})],
    ['aborted', (sessionId: string) => service.abort(sessionId)],
  ] as const)(
    'aborts the upload of a session that is %s once more: a part may have arrived in that moment',
    async (status, end) => {
      const { sessionId, uploadId } = await bench.openTinySession();
      await bench.putParts(sessionId, TINY_FILE);
      await end(sessionId);
      bench.objects.haunt('tiny.bin', String(uploadId));

      bench.clock.advance(GRACE);
      expect(await sweep(bench.deps)).toEqual(quiet);
      bench.clock.advance(1);
      expect(await sweep(bench.deps)).toEqual({ ...quiet, released: 1 });

      expect(bench.objects.uploadIds).toEqual([]);
      expect(await statusOf(sessionId)).toBe(status);
      expect(await sweep(bench.deps)).toEqual(quiet);
    },
  );

  it('aborts an upload that was made and never recorded, and keeps the one that is in use', async () => {
    const sessionId = await createWithLostAnswer('a');
    const [orphan] = bench.objects.uploadIds;
    bench.clock.advance(1);
    await create('a');
    const { uploadId } = await bench.session(sessionId);
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, released: 1 });
    expect(bench.objects.uploadIds).toEqual([uploadId]);
    expect(bench.objects.uploadIds).not.toContain(orphan);
  });

  it('looks once', async () => {
    await createWithLostAnswer('a');
    await create('a');
    bench.clock.advance(GRACE + 1);
    await sweep(bench.deps);
    bench.objects.calls.length = 0;
    expect(await sweep(bench.deps)).toEqual(quiet);
    expect(bench.objects.calls).toEqual([]);
  });

  it('leaves a young unrecorded upload of the same key alone: a request may be about to record it', async () => {
    await createWithLostAnswer('a');
    await create('a');
    bench.clock.advance(GRACE + 1);
    const young = await bench.objects.createMultipartUpload({
      key: 'a',
      contentType: null,
      contentDisposition: null,
      metadata: {},
      tags: {},
    });
    await sweep(bench.deps);
    expect(bench.objects.uploadIds).toContain(young.uploadId);
  });

  it('leaves unrecorded uploads of the same key alone that began when no request of the session ran: they belong to another program', async () => {
    const theirs = () =>
      bench.objects.createMultipartUpload({ key: 'a', contentType: null, contentDisposition: null, metadata: {}, tags: {} });
    const before = await theirs();
    bench.clock.advance(GRACE);
    const sessionId = await createWithLostAnswer('a');
    await create('a');
    const { uploadId } = await bench.session(sessionId);
    bench.clock.advance(GRACE);
    const after = await theirs();
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, released: 1 });
    expect(bench.objects.uploadIds).toEqual([before.uploadId, uploadId, after.uploadId]);
  });

  it('are found behind many that can never be released, and each of those is tried once in a sweep', async () => {
    const elsewhere = new FakeObjectStore({ bucket: 'another bucket', now: bench.clock.now });
    const old = adminService({ ...bench.deps, objects: elsewhere });
    for (let count = 0; count < 101; count++) {
      const { session } = await old.create({ fileName: `old ${count}`, size: 1 });
      elsewhere.failNext('abortMultipartUpload', 'unavailable');
      await old.abort(session.sessionId).catch(() => undefined);
    }
    bench.clock.advance(1);
    const stuck = await leaveAborting('a');
    bench.clock.advance(GRACE + 1);
    expect(await sweep(bench.deps)).toEqual({ ...quiet, repaired: 1, failed: 101 });
    expect(await statusOf(stuck)).toBe('aborted');
  });

  it('leaves the recorded upload of another session of the same key alone', async () => {
    await createWithLostAnswer('a');
    await create('a');
    const other = await bench.openTinySession({ key: 'a' });
    bench.clock.advance(GRACE + 1);
    await sweep(bench.deps);
    expect(bench.objects.uploadIds).toContain(other.uploadId);
  });

  it('looks again after a lost answer', async () => {
    await createWithLostAnswer('a');
    await create('a');
    bench.clock.advance(GRACE + 1);
    bench.objects.failNext('listMultipartUploads', 'unavailable');
    expect(await sweep(bench.deps)).toEqual({ ...quiet, failed: 1 });
    expect(await sweep(bench.deps)).toEqual({ ...quiet, released: 1 });
    expect(bench.objects.uploadIds).toHaveLength(1);
  });
});

describe('the sweeper of a running server', () => {
  it('sweeps at once without grace, then periodically with it, and stops', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const atStart = await leaveAborting('a');
    const sweeper = startSweeper(bench.deps, 60_000);
    await vi.waitFor(async () => expect(await statusOf(atStart)).toBe('aborted'), 30_000);

    const later = await leaveAborting('b');
    vi.advanceTimersByTime(60_000);
    bench.clock.advance(GRACE + 1);
    expect(await statusOf(later)).toBe('aborting');
    vi.advanceTimersByTime(60_000);
    await vi.waitFor(async () => expect(await statusOf(later)).toBe('aborted'), 30_000);

    await sweeper.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('breaks off between two sessions when the server stops, and the next server goes on', async () => {
    const ids = [await leaveAborting('a'), await leaveAborting('b')];
    let stopped: Promise<void> | undefined;
    const sessions = interpose<SessionStore>(bench.sessions, (method, call) => {
      if (method === 'changeStatus') stopped ??= sweeper.stop();
      return call();
    });
    const sweeper = startSweeper({ ...bench.deps, sessions }, INTERVAL);
    await vi.waitFor(() => expect(stopped).toBeDefined(), 30_000);
    await stopped;
    expect(await Promise.all(ids.map(statusOf))).toEqual(['aborted', 'aborting']);

    await sweep(bench.deps, 0);
    expect(await Promise.all(ids.map(statusOf))).toEqual(['aborted', 'aborted']);
  });

  /** The database of the bench as one of several servers sees it. */
  function shared(changes: Partial<SessionStore> = {}): SessionStore {
    const own: Partial<SessionStore> = { isShared: true, ...changes };
    return new Proxy(bench.sessions, {
      get(target, property) {
        if (property in own) return Reflect.get(own, property);
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** A server's dependencies on the database of the bench, and how often it swept. */
  function aReplica({ until = Promise.resolve() } = {}) {
    const replica = { sweeps: 0, deps: bench.deps };
    const listIdleSince: SessionStore['listIdleSince'] = async (status, ...rest) => {
      await until;
      if (status === 'open') replica.sweeps += 1;
      return bench.sessions.listIdleSince(status, ...rest);
    };
    replica.deps = { ...bench.deps, sessions: shared({ listIdleSince }) };
    return replica;
  }
  const INTERVAL = 60_000;

  it('of several on one database sweeps alone, until it stops', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const [one, two] = [aReplica(), aReplica()];
    const first = startSweeper(one.deps, INTERVAL);
    await vi.waitFor(() => expect(one.sweeps).toBe(1), 30_000);
    const second = startSweeper(two.deps, INTERVAL);
    for (const sweeps of [2, 3, 4]) {
      bench.clock.advance(INTERVAL);
      vi.advanceTimersByTime(INTERVAL);
      await vi.waitFor(() => expect(one.sweeps).toBe(sweeps), 30_000);
    }
    expect(two.sweeps).toBe(0);

    await first.stop();
    vi.advanceTimersByTime(INTERVAL);
    await vi.waitFor(() => expect(two.sweeps).toBe(1), 30_000);
    await second.stop();
  });

  it('takes over from one that died once that one’s lease has expired', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    await bench.sessions.acquireSweepLease('a server that was killed', bench.clock.now(), 3 * INTERVAL);
    const replica = aReplica();
    const sweeper = startSweeper(replica.deps, INTERVAL);
    bench.clock.advance(3 * INTERVAL - 1);
    vi.advanceTimersByTime(INTERVAL);
    bench.clock.advance(1);
    vi.advanceTimersByTime(INTERVAL);
    await vi.waitFor(() => expect(replica.sweeps).toBe(1), 30_000);
    await sweeper.stop();
    expect(replica.sweeps).toBe(1);
  });

  it('keeps its lease during a sweep that takes longer than that', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    let goOn = () => {};
    const slow = aReplica({
      until: new Promise((resolve) => {
        goOn = resolve;
      }),
    });
    const sweeper = startSweeper(slow.deps, INTERVAL);
    for (let tick = 0; tick < 5; tick++) {
      bench.clock.advance(INTERVAL);
      vi.advanceTimersByTime(INTERVAL);
      // The renewal of this tick comes before the next acquire.
      expect(await bench.sessions.acquireSweepLease('another', bench.clock.now(), INTERVAL)).toBe(false);
    }
    goOn();
    await sweeper.stop();
  });

  it('leaves the running work of other servers alone at its start', async () => {
    const underWay = await leaveAborting('a');
    const sweeper = startSweeper({ ...bench.deps, sessions: shared() }, INTERVAL);
    await sweeper.stop();
    expect(await statusOf(underWay)).toBe('aborting');
  });

  it('of a database of its own need not wait for a lease that it held before it was killed', async () => {
    const stuck = await leaveAborting('a');
    const killed = startSweeper(bench.deps, INTERVAL);
    await vi.waitFor(async () => expect(await statusOf(stuck)).toBe('aborted'), 30_000);
    const next = await leaveAborting('b');
    const restarted = startSweeper(bench.deps, INTERVAL);
    await vi.waitFor(async () => expect(await statusOf(next)).toBe('aborted'), 30_000);
    await Promise.all([killed.stop(), restarted.stop()]);
  });

  it('goes on after a sweep that failed as a whole', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    let failures = 1;
    const broken = new ServiceBench({
      aroundSessions: (method, call) => {
        if (method === 'listIdleSince' && failures-- > 0) return Promise.reject(new Error('disk I/O error'));
        return call();
      },
    });
    const sweeper = startSweeper(broken.deps, 60_000);
    vi.advanceTimersByTime(60_000);
    await sweeper.stop();
    expect(broken.logged.map(({ level }) => level)).toEqual(['error']);
    expect(failures).toBeLessThan(0);
  });
});
