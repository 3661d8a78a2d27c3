import { expect, it } from 'vitest';
import { STATUSES } from '../../src/session/machine.ts';
import { MiB, planParts } from '../../src/session/part-plan.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import {
  aReport,
  aUniqueName,
  expected,
  healSession,
  insertInStatus,
  insertOpenSession,
  insertSession,
  mustGet,
  NOON,
  storedParts,
  uploadIdOf,
} from '../support/database/sessions.ts';

/** Later than everything that the tests record. */
const EVER = Number.MAX_SAFE_INTEGER;

function ids(sessions: readonly { sessionId: string }[]): string[] {
  return sessions.map((session) => session.sessionId);
}

export function describeChangeStatus(current: () => SessionStore): void {
  it.each(STATUSES)('can store the status %s', async (status) => {
    const sessionId = await insertInStatus(current(), status);

    expect((await mustGet(current(), sessionId)).status).toBe(status);
  });

  it('writes status, fields and the time of the change together', async () => {
    const { sessionId } = await insertOpenSession(current());
    const change = { to: 'completed', at: NOON + 99, etag: '"abc-3"', checksum: 'AAAAAA==' } as const;

    expect(await current().changeStatus(expected(sessionId, 'open'), change)).toBe(true);

    expect(await current().get(sessionId)).toMatchObject({
      status: 'completed',
      etag: '"abc-3"',
      checksum: 'AAAAAA==',
      updatedAt: NOON + 99,
      lastActivityAt: NOON,
    });
  });

  it('replaces the checksum of an earlier change', async () => {
    const { sessionId } = await insertOpenSession(current());
    const completing = { to: 'completing', at: NOON + 1, checksum: 'AAAAAA==' } as const;
    await current().changeStatus(expected(sessionId, 'open'), completing);
    expect(await current().get(sessionId)).toMatchObject({ status: 'completing', checksum: 'AAAAAA==' });

    await current().changeStatus(expected(sessionId, 'completing'), { to: 'open', at: NOON + 2 });
    await current().changeStatus(expected(sessionId, 'open'), { ...completing, checksum: 'AAAAAQ==' });

    expect(await current().get(sessionId)).toMatchObject({ status: 'completing', checksum: 'AAAAAQ==' });
  });

  it('keeps the fields that a change leaves out', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().changeStatus(expected(sessionId, 'open'), { to: 'aborting', at: NOON + 1, endsAs: 'expired' });

    await current().changeStatus(expected(sessionId, 'aborting'), { to: 'expired', at: NOON + 2 });

    expect(await current().get(sessionId)).toMatchObject({ status: 'expired', endsAs: 'expired', updatedAt: NOON + 2 });
  });

  it.each([
    ['another status', { status: 'completing', generation: 1 }],
    ['another generation', { status: 'open', generation: 2 }],
  ] as const)('is a lost race if the row is in %s: nothing changes', async (_, difference) => {
    const { sessionId } = await insertOpenSession(current());
    const before = await current().get(sessionId);

    const change = { to: 'aborting', at: NOON + 99, endsAs: 'aborted', etag: '"x"' } as const;
    expect(await current().changeStatus({ sessionId, ...difference }, change)).toBe(false);

    expect(await current().get(sessionId)).toStrictEqual(before);
  });

  it('is a lost race for a session that does not exist', async () => {
    expect(await current().changeStatus(expected('nobody', 'open'), { to: 'completing', at: NOON })).toBe(false);
  });

  it('lets exactly one of many simultaneous changes through', async () => {
    const { sessionId } = await insertOpenSession(current());
    const completing = { to: 'completing', at: NOON } as const;
    const aborting = { to: 'aborting', at: NOON, endsAs: 'aborted' } as const;

    const won = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        current().changeStatus(expected(sessionId, 'open'), index % 2 === 0 ? completing : aborting),
      ),
    );

    expect(won.filter(Boolean)).toHaveLength(1);
  });

  it('touches no other session', async () => {
    const one = await insertOpenSession(current());
    const other = await insertOpenSession(current());
    const before = await current().get(other.sessionId);

    await current().changeStatus(expected(one.sessionId, 'open'), { to: 'completing', at: NOON + 1 });

    expect(await current().get(other.sessionId)).toStrictEqual(before);
  });

  it('refuses an `aborting` session without `endsAs`', async () => {
    const { sessionId } = await insertOpenSession(current());

    await expect(current().changeStatus(expected(sessionId, 'open'), { to: 'aborting', at: NOON })).rejects.toThrow();
  });

  it('refuses a `completed` session without an ETag', async () => {
    const { sessionId } = await insertOpenSession(current());

    await expect(current().changeStatus(expected(sessionId, 'open'), { to: 'completed', at: NOON })).rejects.toThrow();
  });
}

export function describeOpenUpload(current: () => SessionStore): void {
  const upload = { uploadId: 'upload-a', initiatedAt: NOON + 7 };

  it('opens a session with its upload', async () => {
    const { sessionId } = await insertSession(current());

    expect(await current().openUpload(expected(sessionId, 'creating'), upload, NOON + 8)).toBe(true);

    expect(await current().get(sessionId)).toMatchObject({
      status: 'open',
      generation: 1,
      uploadId: 'upload-a',
      uploadInitiatedAt: NOON + 7,
      updatedAt: NOON + 8,
      lastActivityAt: NOON,
    });
    expect(await current().hasUpload('upload-a')).toBe(true);
  });

  it.each([
    ['another generation', 'creating', 2],
    ['another status', 'open', 1],
  ] as const)('is a lost race if the row is in %s: nothing is recorded', async (_, status, generation) => {
    const { sessionId } = await insertSession(current());

    expect(await current().openUpload(expected(sessionId, status, generation), upload, NOON)).toBe(false);

    expect(await current().get(sessionId)).toMatchObject({ status: 'creating', uploadId: null });
    expect(await current().hasUpload('upload-a')).toBe(false);
  });

  it('is a lost race on a session that is already open, which keeps its first upload', async () => {
    const { sessionId } = await insertSession(current());
    await current().openUpload(expected(sessionId, 'creating'), upload, NOON);

    const second = { uploadId: 'upload-b', initiatedAt: NOON };
    expect(await current().openUpload(expected(sessionId, 'creating'), second, NOON)).toBe(false);
    expect(await current().openUpload(expected(sessionId, 'open'), second, NOON)).toBe(false);

    expect((await mustGet(current(), sessionId)).uploadId).toBe('upload-a');
    expect(await current().hasUpload('upload-b')).toBe(false);
  });
}

export function describeStartGeneration(current: () => SessionStore): void {
  it.each(['open', 'completing'] as const)('takes a session from %s to `creating` with the next generation', async (status) => {
    const sessionId = await insertInStatus(current(), status);
    const { plan } = await mustGet(current(), sessionId);

    expect(await current().startGeneration(expected(sessionId, status), NOON + 30)).toBe(true);

    expect(await current().get(sessionId)).toMatchObject({
      status: 'creating',
      generation: 2,
      uploadId: null,
      uploadInitiatedAt: null,
      updatedAt: NOON + 30,
      plan,
    });
  });

  it.each(['creating', 'completed', 'aborting', 'aborted', 'expired'] as const)(
    'does nothing to a session that is %s',
    async (status) => {
      const sessionId = await insertInStatus(current(), status);
      const before = await current().get(sessionId);

      expect(await current().startGeneration(expected(sessionId, status), NOON + 30)).toBe(false);

      expect(await current().get(sessionId)).toStrictEqual(before);
    },
  );

  it('is a lost race if the row has another status or generation', async () => {
    const { sessionId } = await insertOpenSession(current());
    const before = await current().get(sessionId);

    expect(await current().startGeneration(expected(sessionId, 'completing'), NOON + 30)).toBe(false);
    expect(await current().startGeneration(expected(sessionId, 'open', 2), NOON + 30)).toBe(false);

    expect(await current().get(sessionId)).toStrictEqual(before);
  });

  it('starts with no parts, and keeps those of the old generation apart', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: storedParts(1, 4) }));

    await healSession(current(), sessionId);

    expect(await current().get(sessionId)).toMatchObject({ storedBytes: 0, partsStored: 0, generation: 2, status: 'open' });
    expect(await current().listParts(sessionId, 2)).toStrictEqual([]);
    expect(await current().listParts(sessionId, 1)).toStrictEqual(storedParts(1, 4));
  });

  it('replaces the plan if a new one is given', async () => {
    const { sessionId } = await insertOpenSession(current(), { size: 512 * MiB });
    const plan = planParts(512 * MiB, 'chunked', 5 * MiB);

    await current().startGeneration(expected(sessionId, 'open'), NOON, plan);

    expect((await mustGet(current(), sessionId)).plan).toStrictEqual(plan);
  });

  it('replaces the attributes that are given, and keeps the others', async () => {
    const first = { contentType: 'video/mp4', contentDisposition: 'inline', tags: { a: '1' }, metadata: { b: '2' } };
    const { sessionId } = await insertOpenSession(current(), first);

    await current().startGeneration(expected(sessionId, 'open'), NOON, undefined, { tags: {}, contentDisposition: 'attachment' });

    expect(await current().get(sessionId)).toMatchObject({ ...first, tags: {}, contentDisposition: 'attachment' });
    await current().openUpload(expected(sessionId, 'creating', 2), { uploadId: 'upload-c', initiatedAt: NOON }, NOON);
    const others = { contentType: 'video/x-other', metadata: { c: 'ü' } };
    await current().startGeneration(expected(sessionId, 'open', 2), NOON, undefined, others);
    expect(await current().get(sessionId)).toMatchObject({ ...others, tags: {}, contentDisposition: 'attachment' });
  });

  it('gives a session its next upload, any number of times', async () => {
    const { sessionId } = await insertOpenSession(current());

    for (const generation of [1, 2, 3]) await healSession(current(), sessionId, generation);

    expect(await current().get(sessionId)).toMatchObject({ generation: 4, uploadId: uploadIdOf(sessionId, 4) });
    for (const generation of [1, 2, 3, 4]) expect(await current().hasUpload(uploadIdOf(sessionId, generation))).toBe(true);
  });
}

export function describeLeftoverUploads(current: () => SessionStore): void {
  it('are none while a session has its first upload', async () => {
    await insertInStatus(current(), 'creating');
    await insertInStatus(current(), 'open');
    await insertInStatus(current(), 'completing');
    await insertInStatus(current(), 'aborting');

    expect(await current().leftoverUploads(EVER, 10)).toStrictEqual([]);
  });

  it('are uploads of earlier generations, until they are marked as ended', async () => {
    const session = await insertOpenSession(current(), { bucket: 'films', key: 'a/b.mp4' });
    await healSession(current(), session.sessionId);
    const leftover = { sessionId: session.sessionId, bucket: 'films', key: 'a/b.mp4', generation: 1 };

    expect(await current().leftoverUploads(EVER, 10)).toStrictEqual([
      { ...leftover, uploadId: uploadIdOf(session.sessionId, 1) },
    ]);
    await current().endUpload(session.sessionId, 1, NOON + 50);
    expect(await current().leftoverUploads(EVER, 10)).toStrictEqual([]);
  });

  it('appear as soon as the next generation is started, before it has an upload', async () => {
    const { sessionId } = await insertOpenSession(current());

    await current().startGeneration(expected(sessionId, 'open'), NOON);

    expect((await current().leftoverUploads(EVER, 10)).map((leftover) => leftover.generation)).toStrictEqual([1]);
  });

  it.each(['completed', 'aborted', 'expired'] as const)('are uploads of a session that is %s, until marked', async (status) => {
    const sessionId = await insertInStatus(current(), status);

    expect(ids(await current().leftoverUploads(EVER, 10))).toStrictEqual([sessionId]);
    await current().endUpload(sessionId, 1, NOON + 50);
    expect(await current().leftoverUploads(EVER, 10)).toStrictEqual([]);
  });

  it('are left out while the last change of their session is more recent than asked for', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().changeStatus(expected(sessionId, 'open'), {
      to: 'completed',
      at: NOON + 50,
      etag: '"e"',
      checksum: 'AAAAAA==',
    });

    expect(await current().leftoverUploads(NOON + 50, 10)).toStrictEqual([]);
    expect(ids(await current().leftoverUploads(NOON + 51, 10))).toStrictEqual([sessionId]);
  });

  it('are limited to the number asked for, the oldest first', async () => {
    const made: string[] = [];
    for (const minute of [3, 1, 2]) {
      const { sessionId } = await insertSession(current());
      const upload = { uploadId: aUniqueName('upload'), initiatedAt: NOON + minute };
      await current().openUpload(expected(sessionId, 'creating'), upload, NOON);
      await current().startGeneration(expected(sessionId, 'open'), NOON);
      made.push(sessionId);
    }

    expect(ids(await current().leftoverUploads(EVER, 2))).toStrictEqual([made[1], made[2]]);
  });

  it('can be marked again, or without being on record, and nothing else changes', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().report(aReport(sessionId, { parts: storedParts(1, 2) }));
    const before = await current().get(sessionId);

    await current().endUpload(sessionId, 1, NOON + 50);
    await current().endUpload(sessionId, 1, NOON + 60);
    await current().endUpload(sessionId, 9, NOON + 50);
    await current().endUpload('nobody', 1, NOON + 50);

    expect(await current().get(sessionId)).toStrictEqual(before);
    expect(await current().listParts(sessionId, 1)).toHaveLength(2);
  });

  it('stay on record after they were marked', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().endUpload(sessionId, 1, NOON);

    expect(await current().hasUpload(uploadIdOf(sessionId, 1))).toBe(true);
    expect(await current().hasUpload('of-another-program')).toBe(false);
  });
}

export function describeSweeperQueries(current: () => SessionStore): void {
  it('finds sessions in a status that last changed before an instant, the oldest change first', async () => {
    const [late, early, tooLate] = [
      await insertSession(current(), { createdAt: NOON + 20 }),
      await insertSession(current(), { createdAt: NOON + 10 }),
      await insertSession(current(), { createdAt: NOON + 30 }),
    ];
    await insertOpenSession(current(), { createdAt: NOON });

    const found = await current().listUnchangedSince('creating', NOON + 30, 10);

    expect(found).toStrictEqual([await current().get(early.sessionId), await current().get(late.sessionId)]);
    expect(ids(await current().listUnchangedSince('creating', NOON + 31, 10))).toContain(tooLate.sessionId);
    expect(ids(await current().listUnchangedSince('creating', NOON + 31, 1))).toStrictEqual([early.sessionId]);
  });

  it('does not count client activity as a change', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().touch(sessionId, NOON + 5_000);
    await current().report(aReport(sessionId, { at: NOON + 6_000, parts: storedParts(1, 1) }));

    expect(ids(await current().listUnchangedSince('open', NOON + 100, 10))).toStrictEqual([sessionId]);
  });

  it('finds sessions in a status whose last activity was before an instant, the longest idle first', async () => {
    const [one, two, three] = [
      await insertOpenSession(current()),
      await insertOpenSession(current()),
      await insertOpenSession(current()),
    ];
    await current().touch(one.sessionId, NOON + 20);
    await current().touch(two.sessionId, NOON + 10);
    await current().touch(three.sessionId, NOON + 30);
    await insertSession(current());

    const found = await current().listIdleSince('open', NOON + 30, 10);

    expect(found).toStrictEqual([await current().get(two.sessionId), await current().get(one.sessionId)]);
    expect(ids(await current().listIdleSince('open', NOON + 31, 1))).toStrictEqual([two.sessionId]);
  });
}

export function describeOrphanSuspicion(current: () => SessionStore): void {
  it('lists the sessions of any status that were suspected before an instant, oldest first', async () => {
    const late = await insertInStatus(current(), 'aborted');
    const early = await insertInStatus(current(), 'open');
    await insertInStatus(current(), 'open');
    await current().suspectOrphan(late, NOON + 2);
    await current().suspectOrphan(early, NOON + 1);

    expect(ids(await current().listOrphanSuspects(NOON + 3, 10))).toStrictEqual([early, late]);
    expect(ids(await current().listOrphanSuspects(NOON + 3, 1))).toStrictEqual([early]);
    expect(ids(await current().listOrphanSuspects(NOON + 2, 10))).toStrictEqual([early]);
  });

  it('has the place of the orphan and the time when it began', async () => {
    const session = await insertSession(current(), { bucket: 'films', key: 'a/b.mp4' });
    await current().suspectOrphan(session.sessionId, NOON + 2);

    const { sessionId, bucket, key, createdAt } = session;
    const suspect = { sessionId, bucket, key, createdAt, suspectedAt: NOON + 2 };
    expect(await current().listOrphanSuspects(NOON + 3, 10)).toStrictEqual([suspect]);
  });

  it('keeps the later of two suspicions', async () => {
    const sessionId = await insertInStatus(current(), 'open');
    await current().suspectOrphan(sessionId, NOON + 5);
    await current().suspectOrphan(sessionId, NOON + 1);

    expect(await current().listOrphanSuspects(NOON + 5, 10)).toStrictEqual([]);
  });

  it('clears a suspicion, but not a later one', async () => {
    const sessionId = await insertInStatus(current(), 'open');
    await current().suspectOrphan(sessionId, NOON + 5);

    await current().clearOrphanSuspicion(sessionId, NOON + 5);
    expect(ids(await current().listOrphanSuspects(NOON + 9, 10))).toStrictEqual([sessionId]);
    await current().clearOrphanSuspicion(sessionId, NOON + 6);
    expect(await current().listOrphanSuspects(NOON + 9, 10)).toStrictEqual([]);
  });
}

export function describeSetOverwrite(current: () => SessionStore): void {
  it('changes whether the object may be replaced, and nothing else', async () => {
    const sessionId = await insertInStatus(current(), 'open');
    const before = await mustGet(current(), sessionId);

    await current().setOverwrite(sessionId, true);
    expect(await current().get(sessionId)).toStrictEqual({ ...before, overwrite: true });
    await current().setOverwrite(sessionId, false);
    expect(await current().get(sessionId)).toStrictEqual(before);
  });
}
