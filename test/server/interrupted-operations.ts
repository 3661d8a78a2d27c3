import { expect } from 'vitest';
import { sweep } from '../../src/server/lifecycle/sweeper.ts';
import { isTerminal } from '../../src/session/machine.ts';
import { partNumbersOf } from '../../src/session/part-ranges.ts';
import type { UploadSession } from '../../src/session/session.ts';
import { checksumOf } from '../suites/object-store.ts';
import { type AdminService, adminService, POLICY, type ServiceBench, TINY_FILE } from '../support/server/control-plane.ts';

/** All operations on sessions, to be interrupted in different ways, and the invariants that must hold afterwards. */

const FILE_CHECKSUM = checksumOf(TINY_FILE);
const OTHER_CHECKSUM = checksumOf(Buffer.from('another file'));
const DAY = 86_400_000;

export interface Scene {
  readonly bench: ServiceBench;
  readonly service: AdminService;
}

export interface Operation {
  readonly name: string;
  /** Prepares the state before the operation. Its result goes to the other functions. */
  readonly prepare: (scene: Scene) => Promise<string>;
  readonly run: (scene: Scene, sessionId: string) => Promise<unknown>;
  /** True if no client waits for an answer. */
  readonly isSweep?: true;
  /** True if the client's file differs from the stored parts, so the session must never complete. */
  readonly neverCompletes?: true;
  /** Status that the session must have at the end, where the operation decides that. */
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

export const operations: readonly Operation[] = [
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
    isSweep: true,
    run: ({ bench }) => sweep(bench.deps),
    endsAs: ['expired'],
  },
  {
    name: 'the repair of a session left completing',
    prepare: (scene) => withLostAnswer(scene, true),
    isSweep: true,
    run: ({ bench }) => sweep(bench.deps, 0),
    endsAs: ['completed'],
  },
  {
    name: 'the repair of a session left creating, with an orphan',
    prepare: afterLostCreate,
    isSweep: true,
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
    isSweep: true,
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
    isSweep: true,
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
    isSweep: true,
    run: ({ bench }) => sweep(bench.deps),
    endsAs: ['open'],
  },
];

/** Runs the sweeper of a new process for a few rounds, for less than a session's lifetime. */
export async function settleDown(bench: ServiceBench): Promise<void> {
  for (let round = 0; round < 3; round++) {
    bench.clock.advance(DAY / 24);
    await sweep(bench.deps, 0);
  }
}

async function allSessions(bench: ServiceBench): Promise<UploadSession[]> {
  return (await bench.sessions.list({ limit: 100 })).sessions;
}

/** Checks that the owner's usage is the sum of its sessions, to the byte. */
async function checkUsage(bench: ServiceBench, sessions: readonly UploadSession[]): Promise<void> {
  const unended = sessions.filter(({ status }) => !isTerminal(status));
  const bytesOf = (some: readonly UploadSession[]) => some.reduce((sum, { size }) => sum + size, 0);
  expect(await bench.sessions.usageOf('admin')).toEqual({
    openSessions: unended.length,
    reservedBytes: bytesOf(unended),
    settledBytes: bytesOf(sessions.filter(({ status }) => status === 'completed')),
  });
}

export async function checkInvariants(bench: ServiceBench, operation: Operation): Promise<void> {
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

/** Acts as a client that comes back: resumes by id, sends the missing parts, completes. */
export async function finishWhatIsOpen(bench: ServiceBench): Promise<void> {
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
