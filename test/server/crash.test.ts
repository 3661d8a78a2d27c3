import { afterAll, describe, expect, it } from 'vitest';
import { ObjectStoreError } from '../../src/object-store/port.ts';
import { sweep } from '../../src/server/sweeper.ts';
import { isTerminal } from '../../src/session/machine.ts';
import { partNumbersOf } from '../../src/session/part-ranges.ts';
import type { UploadSession } from '../../src/session/session.ts';
import type { SessionStore } from '../../src/session-store/port.ts';
import { openPostgresStore } from '../../src/session-store/postgres.ts';
import { openSqliteStore } from '../../src/session-store/sqlite.ts';
import { checksumOf } from '../contract/object-store.ts';
import { type AdminService, adminService, POLICY, ServiceBench, TINY_FILE } from '../support/control-plane.ts';
import type { Around } from '../support/interpose.ts';
import { createTestDatabase, needsPostgres, type TestDatabase } from '../support/postgres.ts';

/**
 * Every call that an operation makes to either store fails once, before its effect and after it, until a run has no such
 * call. `crash` is the process dying there: no later call of that run happens either. Afterwards a new service on the same
 * stores, and the sweeper, must bring everything to an end that loses nothing.
 */

const FILE_CHECKSUM = checksumOf(TINY_FILE);
const OTHER_CHECKSUM = checksumOf(Buffer.from('another file'));
const DAY = 86_400_000;

type Store = 'session store' | 'object store';
type Moment = 'before its effect' | 'after its effect';
type Kind = 'fault' | 'crash';

/** Fails the `nth` call to one of the stores, once armed. */
class Fault {
  readonly store: Store;
  readonly moment: Moment;
  readonly kind: Kind;
  readonly nth: number;
  /** What failed; undefined while nothing has. */
  hit: string | undefined;
  #armed = false;
  #seen = 0;

  constructor(store: Store, moment: Moment, kind: Kind, nth: number) {
    this.store = store;
    this.moment = moment;
    this.kind = kind;
    this.nth = nth;
  }

  around(store: Store): Around {
    return async (method, call) => {
      if (!this.#armed) return call();
      if (this.hit !== undefined && this.kind === 'crash') return new Promise(() => undefined);
      if (store !== this.store || ++this.#seen !== this.nth) return call();
      this.hit = method;
      if (this.moment === 'after its effect') await call().catch(() => undefined);
      if (this.kind === 'crash') {
        this.#died();
        return new Promise(() => undefined);
      }
      throw store === 'object store' ? new ObjectStoreError('unavailable', 'injected') : new Error('injected: disk I/O error');
    };
  }

  #died: () => void = () => undefined;

  /** Runs `operation` with the fault in the way, until it has ended or the process has died. */
  async during(operation: () => Promise<unknown>): Promise<void> {
    const death = new Promise<void>((resolve) => {
      this.#died = resolve;
    });
    this.#armed = true;
    await Promise.race([death, operation().catch(() => undefined)]);
    this.#armed = false;
  }

  toString(): string {
    return `${this.kind} ${this.moment} at call ${this.nth} to the ${this.store} (${this.hit})`;
  }
}

interface Scene {
  readonly bench: ServiceBench;
  readonly service: AdminService;
}

interface Operation {
  readonly name: string;
  /** What was there before; its result goes to the others. */
  readonly prepare: (scene: Scene) => Promise<string>;
  readonly run: (scene: Scene, sessionId: string) => Promise<unknown>;
  /** The client's file is another one than the stored parts: must never complete. */
  readonly neverCompletes?: true;
  /** What the session must be at the end, where the operation decides that. */
  readonly endsAs?: readonly string[];
}

const createRequest = { fileName: 'tiny.bin', size: TINY_FILE.length, fingerprint: 'f' };

async function withParts({ bench }: Scene, partNumbers?: number[]): Promise<string> {
  const { sessionId } = await bench.openTinySession({ fingerprint: 'f' });
  await bench.putParts(sessionId, TINY_FILE, partNumbers);
  return sessionId;
}

async function withSweptUpload(scene: Scene): Promise<string> {
  const sessionId = await withParts(scene);
  scene.bench.objects.sweepUpload(String((await scene.bench.session(sessionId)).uploadId));
  return sessionId;
}

async function withHalfDoneHeal(scene: Scene): Promise<string> {
  const sessionId = await withSweptUpload(scene);
  scene.bench.objects.failNext('createMultipartUpload', 'unavailable', { afterEffect: true });
  await scene.service.parts(sessionId).catch(() => undefined);
  return sessionId;
}

async function withLostAnswer(scene: Scene, afterEffect: boolean): Promise<string> {
  const sessionId = await withParts(scene);
  scene.bench.objects.failNext('completeMultipartUpload', 'unavailable', { afterEffect });
  await scene.service.complete(sessionId, {}).catch(() => undefined);
  return sessionId;
}

async function afterLostCreate({ bench, service }: Scene): Promise<string> {
  bench.objects.failNext('createMultipartUpload', 'unavailable', { afterEffect: true });
  await service.create(createRequest, 'k').catch(() => undefined);
  return '';
}

const operations: Operation[] = [
  {
    name: 'create',
    prepare: async () => '',
    run: ({ service }) => service.create(createRequest, 'k'),
  },
  {
    name: 'create by a retry',
    prepare: afterLostCreate,
    run: ({ service }) => service.create(createRequest, 'k'),
  },
  {
    name: 'create by fingerprint',
    prepare: afterLostCreate,
    run: ({ service }) => service.create(createRequest),
  },
  {
    name: 'create with another plan',
    prepare: (scene) => withParts(scene, []),
    run: ({ service }) => service.create({ ...createRequest, strategy: 'single' }),
    endsAs: ['open'],
  },
  {
    name: 'presign and report',
    prepare: (scene) => withParts(scene, [1]),
    async run({ service }, sessionId) {
      await service.presign(sessionId, { partNumbers: [2, 3] });
      await service.report(sessionId, { clientId: 'c', parts: [{ partNumber: 1, etag: '"e"' }] });
    },
    endsAs: ['open'],
  },
  {
    name: 'presign after a half-done heal',
    prepare: withHalfDoneHeal,
    run: ({ service }, sessionId) => service.presign(sessionId, { partNumbers: [1] }),
    endsAs: ['open'],
  },
  {
    name: 'complete after a half-done heal',
    prepare: withHalfDoneHeal,
    run: ({ service }, sessionId) => service.complete(sessionId, { checksum: FILE_CHECKSUM }),
    endsAs: ['open'],
  },
  {
    name: 'parts',
    prepare: (scene) => withParts(scene, [1, 3]),
    run: ({ service }, sessionId) => service.parts(sessionId),
    endsAs: ['open'],
  },
  {
    name: 'parts of a swept upload',
    prepare: withSweptUpload,
    run: ({ service }, sessionId) => service.parts(sessionId),
    endsAs: ['open'],
  },
  {
    name: 'parts after a lost answer to Complete',
    prepare: (scene) => withLostAnswer(scene, true),
    run: ({ service }, sessionId) => service.parts(sessionId),
    endsAs: ['completed'],
  },
  {
    name: 'parts after a Complete that lost one',
    async prepare(scene) {
      const sessionId = await withLostAnswer(scene, false);
      scene.bench.objects.losePart(String((await scene.bench.session(sessionId)).uploadId), 2);
      return sessionId;
    },
    run: ({ service }, sessionId) => service.parts(sessionId),
    endsAs: ['open'],
  },
  {
    name: 'complete',
    prepare: (scene) => withParts(scene),
    run: ({ service }, sessionId) => service.complete(sessionId, { checksum: FILE_CHECKSUM }),
    endsAs: ['open', 'completed'],
  },
  {
    name: 'complete with parts missing',
    prepare: (scene) => withParts(scene, [1, 2]),
    run: ({ service }, sessionId) => service.complete(sessionId, { checksum: FILE_CHECKSUM }),
    endsAs: ['open'],
  },
  {
    name: 'complete with the checksum of another file',
    prepare: (scene) => withParts(scene),
    run: ({ service }, sessionId) => service.complete(sessionId, { checksum: OTHER_CHECKSUM }),
    neverCompletes: true,
    endsAs: ['open'],
  },
  {
    name: 'complete again after a lost answer',
    prepare: (scene) => withLostAnswer(scene, true),
    run: ({ service }, sessionId) => service.complete(sessionId, { checksum: FILE_CHECKSUM }),
    endsAs: ['completed'],
  },
  {
    name: 'complete again after a lost request',
    prepare: (scene) => withLostAnswer(scene, false),
    run: ({ service }, sessionId) => service.complete(sessionId, { checksum: FILE_CHECKSUM }),
    endsAs: ['completed'],
  },
  {
    name: 'complete of a swept upload',
    prepare: withSweptUpload,
    run: ({ service }, sessionId) => service.complete(sessionId, { checksum: FILE_CHECKSUM }),
    endsAs: ['open'],
  },
  {
    name: 'abort',
    prepare: (scene) => withParts(scene),
    run: ({ service }, sessionId) => service.abort(sessionId),
    endsAs: ['open', 'aborted'],
  },
  {
    name: 'the sweep of an overdue session',
    async prepare(scene) {
      const sessionId = await withParts(scene);
      scene.bench.clock.advance(POLICY.sessionTtlMs + 1);
      return sessionId;
    },
    run: ({ bench }) => sweep(bench.deps),
    endsAs: ['expired'],
  },
  {
    name: 'the repair of a session left completing',
    prepare: (scene) => withLostAnswer(scene, true),
    run: ({ bench }) => sweep(bench.deps, 0),
    endsAs: ['completed'],
  },
  {
    name: 'the repair of a session left creating, with an orphan',
    prepare: afterLostCreate,
    run: ({ bench }) => sweep(bench.deps, 0),
    endsAs: ['open'],
  },
  {
    name: 'the repair of a session left aborting',
    async prepare(scene) {
      const sessionId = await withParts(scene);
      scene.bench.objects.failNext('abortMultipartUpload', 'unavailable');
      await scene.service.abort(sessionId).catch(() => undefined);
      return sessionId;
    },
    run: ({ bench }) => sweep(bench.deps, 0),
    endsAs: ['aborted'],
  },
  {
    name: 'the release of what an upload left that is completed',
    async prepare(scene) {
      const sessionId = await withParts(scene);
      await scene.service.complete(sessionId, {});
      scene.bench.objects.haunt('tiny.bin', String((await scene.bench.session(sessionId)).uploadId));
      return sessionId;
    },
    run: ({ bench }) => sweep(bench.deps, 0),
    endsAs: ['completed'],
  },
  {
    name: 'the release of an orphan beside a session that goes on',
    async prepare(scene) {
      await afterLostCreate(scene);
      const { session } = await scene.service.create(createRequest, 'k');
      scene.bench.clock.advance(DAY / 24);
      return session.sessionId;
    },
    run: ({ bench }) => sweep(bench.deps),
    endsAs: ['open'],
  },
];

const faults: readonly [Store, Moment, Kind][] = (['session store', 'object store'] as const).flatMap((store) =>
  (['before its effect', 'after its effect'] as const).flatMap((moment) =>
    (['fault', 'crash'] as const).map((kind): [Store, Moment, Kind] => [store, moment, kind]),
  ),
);

/** Far more calls than any operation makes: a run that never ends would be a bug of the test. */
const ENOUGH = 60;

describe('with SQLite', () => {
  describeOperations(async () => {
    const store = openSqliteStore(':memory:');
    return { store, close: () => store.close() };
  });
});

describe('with PostgreSQL', () => {
  needsPostgres();
  let database: TestDatabase | undefined;
  let store: SessionStore | undefined;
  afterAll(async () => {
    await store?.close();
    await database?.drop();
  });

  describeOperations(async () => {
    database ??= await createTestDatabase();
    store ??= await openPostgresStore(database.url);
    // Some two thousand runs: one store serves them all.
    return { store, close: database.clear };
  });
});

function describeOperations(openEmptyStore: () => Promise<{ store: SessionStore; close(): Promise<void> }>): void {
  describe.each(operations)('$name', (operation) => {
    it.each(faults)(
      'survives a failing %s, %s, as a %s',
      async (store, moment, kind) => {
        for (let nth = 1; nth <= ENOUGH; nth++) {
          const fault = new Fault(store, moment, kind, nth);
          const { store: sessions, close } = await openEmptyStore();
          const scene = aScene(fault, sessions);
          const sessionId = await operation.prepare(scene);
          await fault.during(() => operation.run(scene, sessionId));
          try {
            await settleDown(scene.bench);
            await checkInvariants(scene.bench, operation);
            await finishWhatIsOpen(scene.bench);
          } catch (error) {
            throw new Error(`after a ${fault}`, { cause: error });
          } finally {
            await close();
          }
          if (fault.hit === undefined) return;
        }
        throw new Error(`more than ${ENOUGH} calls`);
      },
      30_000,
    );
  });
}

function aScene(fault: Fault, sessions: SessionStore): Scene {
  const bench = new ServiceBench({
    sessions,
    aroundSessions: fault.around('session store'),
    aroundObjects: fault.around('object store'),
  });
  return { bench, service: adminService(bench.deps) };
}

/** What the time and the sweeper of a new process do: a few rounds, less than a session's life. */
async function settleDown(bench: ServiceBench): Promise<void> {
  for (let round = 0; round < 3; round++) {
    bench.clock.advance(DAY / 24);
    await sweep(bench.deps, 0);
  }
}

async function allSessions(bench: ServiceBench): Promise<UploadSession[]> {
  return (await bench.sessions.list({ limit: 100 })).sessions;
}

/** What the owner is counted for is what the sessions amount to, right to the byte. */
async function checkUsage(bench: ServiceBench, sessions: readonly UploadSession[]): Promise<void> {
  const unended = sessions.filter(({ status }) => !isTerminal(status));
  const bytesOf = (some: readonly UploadSession[]) => some.reduce((sum, { size }) => sum + size, 0);
  expect(await bench.sessions.usageOf('admin')).toEqual({
    openSessions: unended.length,
    reservedBytes: bytesOf(unended),
    settledBytes: bytesOf(sessions.filter(({ status }) => status === 'completed')),
  });
}

async function checkInvariants(bench: ServiceBench, operation: Operation): Promise<void> {
  const sessions = await allSessions(bench);
  const statuses = sessions.map((session) => session.status);
  for (const status of statuses) expect(['open', 'completed', 'aborted', 'expired']).toContain(status);
  if (operation.endsAs !== undefined) for (const status of statuses) expect(operation.endsAs).toContain(status);
  // An upload that no open session uses would take space at the store for ever.
  const used = sessions.filter((session) => session.status === 'open').map((session) => session.uploadId);
  expect(bench.objects.uploadIds.filter((uploadId) => !used.includes(uploadId))).toEqual([]);
  // The object is absent or whole, and there if and only if a session says that it completed.
  const bytes = bench.objects.read('tiny.bin');
  expect(bytes === undefined ? 'absent' : Buffer.from(bytes).toString()).toBe(
    statuses.includes('completed') ? TINY_FILE.toString() : 'absent',
  );
  await checkUsage(bench, sessions);
  if (operation.neverCompletes) expect(statuses).not.toContain('completed');
}

/** A client that comes back: resumes by id, sends what is missing, completes. */
async function finishWhatIsOpen(bench: ServiceBench): Promise<void> {
  const service = adminService(bench.deps);
  for (const { sessionId, status } of await allSessions(bench)) {
    if (status !== 'open') continue;
    const { missing } = await service.parts(sessionId);
    await bench.putParts(sessionId, TINY_FILE, [...partNumbersOf(missing)]);
    expect(await service.complete(sessionId, { checksum: FILE_CHECKSUM })).toMatchObject({ status: 'completed' });
    expect(bench.objects.read('tiny.bin')).toEqual(TINY_FILE);
  }
  expect(bench.objects.uploadIds).toEqual([]);
}
