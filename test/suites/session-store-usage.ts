import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVENTS, isTerminal, nextStatus, type SessionEvent } from '../../src/session/machine.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import {
  aNewSession,
  aUniqueName,
  expected,
  insertInStatus,
  insertSession,
  mustGet,
  NOON,
} from '../support/database/sessions.ts';

const UNLIMITED = { quotaBytes: null, maxOpenSessions: null };
const MAX_OBJECT = 5 * 1024 ** 4;

export function describeUsage(current: () => SessionStore): void {
  it('is zero for an owner without sessions', async () => {
    expect(await current().usageOf('nobody')).toStrictEqual({ openSessions: 0, reservedBytes: 0, settledBytes: 0 });
  });

  it.each(['creating', 'open', 'completing', 'aborting'] as const)(
    'reserves the whole size while a session is %s',
    async (status) => {
      await insertInStatus(current(), status, { owner: 'alice', size: 1_000 });

      expect(await current().usageOf('alice')).toStrictEqual({ openSessions: 1, reservedBytes: 1_000, settledBytes: 0 });
    },
  );

  it('settles completed sessions, and frees aborted and expired ones', async () => {
    await insertInStatus(current(), 'completed', { owner: 'alice', size: 1_000 });
    await insertInStatus(current(), 'aborted', { owner: 'alice', size: 200 });
    await insertInStatus(current(), 'expired', { owner: 'alice', size: 30 });
    await insertInStatus(current(), 'open', { owner: 'alice', size: 4 });
    await insertInStatus(current(), 'open', { owner: 'bob', size: 500_000 });

    expect(await current().usageOf('alice')).toStrictEqual({ openSessions: 1, reservedBytes: 4, settledBytes: 1_000 });
  });

  it('is right to the byte after any history', async () => {
    const sizes = fc.array(fc.nat(1_000), { maxLength: 5 });
    const steps = fc.array(fc.record({ session: fc.nat(4), event: fc.constantFrom(...EVENTS) }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(sizes, steps, async (sessionSizes, history) => {
        const owner = aUniqueName('owner');
        const ids = [];
        for (const size of sessionSizes) ids.push((await insertSession(current(), { owner, size })).sessionId);
        for (const { session, event } of history) await applyEvent(current(), ids[session], event);

        const sessions = await Promise.all(ids.map((id) => mustGet(current(), id)));
        const sizeOf = (some: typeof sessions) => some.reduce((sum, { size }) => sum + size, 0);
        const unfinished = sessions.filter(({ status }) => !isTerminal(status));
        expect(await current().usageOf(owner)).toStrictEqual({
          openSessions: unfinished.length,
          reservedBytes: sizeOf(unfinished),
          settledBytes: sizeOf(sessions.filter(({ status }) => status === 'completed')),
        });
      }),
      { numRuns: 50 },
    );
  });
}

/** Applies the event if the status allows it. */
async function applyEvent(store: SessionStore, sessionId: string | undefined, event: SessionEvent): Promise<void> {
  if (sessionId === undefined) return;
  const { status, generation } = await mustGet(store, sessionId);
  const to = nextStatus(status, event);
  if (to === undefined) return;
  const from = expected(sessionId, status, generation);
  if (event === 'upload-created') await store.openUpload(from, { uploadId: 'u', initiatedAt: NOON }, NOON);
  else if (event === 'upload-lost' || event === 'plan-changed') await store.startGeneration(from, NOON);
  else await store.changeStatus(from, { to, at: NOON, endsAs: 'aborted', etag: '"e"' });
}

export function describeLimits(current: () => SessionStore): void {
  const insert = (
    size: number,
    limits: Partial<typeof UNLIMITED | { quotaBytes: number } | { maxOpenSessions: number }>,
    owner = 'alice',
  ) => current().insert(aNewSession({ owner, size, key: aUniqueName('key') }), undefined, { ...UNLIMITED, ...limits });

  it('accepts a file that fills the quota exactly, and refuses one that is a byte larger', async () => {
    await insertInStatus(current(), 'completed', { owner: 'alice', size: 600, key: 'done' });
    await insertInStatus(current(), 'open', { owner: 'alice', size: 300, key: 'running' });

    expect(await insert(101, { quotaBytes: 1_000 })).toStrictEqual({ outcome: 'quota-exceeded' });
    expect(await insert(100, { quotaBytes: 1_000 })).toStrictEqual({ outcome: 'inserted' });
    expect(await insert(1, { quotaBytes: 1_000 })).toStrictEqual({ outcome: 'quota-exceeded' });
    expect(await insert(0, { quotaBytes: 1_000 })).toStrictEqual({ outcome: 'inserted' });
  });

  it('applies to a new owner', async () => {
    expect(await insert(101, { quotaBytes: 100 })).toStrictEqual({ outcome: 'quota-exceeded' });
    expect(await insert(100, { quotaBytes: 100 })).toStrictEqual({ outcome: 'inserted' });
    expect(await insert(1, { maxOpenSessions: 0 }, 'bob')).toStrictEqual({ outcome: 'too-many-sessions' });
  });

  it('counts sessions that have not ended', async () => {
    await insertInStatus(current(), 'completed', { owner: 'alice', key: 'done' });

    expect(await insert(1, { maxOpenSessions: 1 })).toStrictEqual({ outcome: 'inserted' });
    expect(await insert(1, { maxOpenSessions: 1 })).toStrictEqual({ outcome: 'too-many-sessions' });
    expect(await insert(1, { maxOpenSessions: 2 })).toStrictEqual({ outcome: 'inserted' });
  });

  it('does not affect other owners', async () => {
    await insertInStatus(current(), 'open', { owner: 'bob', size: 1_000, key: 'his' });

    expect(await insert(100, { quotaBytes: 100, maxOpenSessions: 1 })).toStrictEqual({ outcome: 'inserted' });
  });

  it('accepts exactly as many simultaneous sessions as fit', async () => {
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => insert(30, { quotaBytes: 100 })));

    expect(outcomes.filter(({ outcome }) => outcome === 'inserted')).toHaveLength(3);
    expect(await current().usageOf('alice')).toStrictEqual({ openSessions: 3, reservedBytes: 90, settledBytes: 0 });
  });

  it('reserves nothing for a file that is refused', async () => {
    await insert(101, { quotaBytes: 100 });

    expect(await current().usageOf('alice')).toMatchObject({ openSessions: 0, reservedBytes: 0 });
  });

  it('adds up exactly beyond what a double can hold', async () => {
    const largest = 2 ** 53 - 1;
    for (let count = 0; count < 3; count++)
      await insertInStatus(current(), 'open', { owner: 'alice', size: largest, plan: A_PLAN, key: aUniqueName('key') });

    expect(await insert(MAX_OBJECT, { quotaBytes: largest })).toStrictEqual({ outcome: 'quota-exceeded' });
  });

  it('does not refuse a file that has a running session already', async () => {
    const file = { owner: 'alice', key: 'a', size: 100, fingerprint: 'f' };
    await insertSession(current(), file);

    expect(await current().insert(aNewSession(file), undefined, { quotaBytes: 100, maxOpenSessions: 1 })).toStrictEqual({
      outcome: 'taken',
    });
  });
}

const A_PLAN = { strategy: 'multipart', partSize: 2 ** 53 - 1, partCount: 1 } as const;

export function describeKeyConflicts(current: () => SessionStore): void {
  const insert = (key: string, bucket = 'uploads') => current().insert(aNewSession({ key, bucket, owner: 'bob' }));

  describe.each(['creating', 'open', 'completing'] as const)('beside a session that is %s', (status) => {
    it.each([
      ['a', 'a/b'],
      ['a/b', 'a/b/c/d'],
      ['a/b/c/d', 'a'],
      ['ü/b', 'ü'],
    ])('of the key %s, there is none of %s', async (first, second) => {
      await insertInStatus(current(), status, { key: first });

      expect(await insert(second)).toStrictEqual({ outcome: 'key-conflict', conflictingKey: first });
    });

    it.each([
      ['a', 'a'],
      ['a', 'ab'],
      ['a', 'a-/b'],
      ['a', 'a0'],
      ['a/b', 'a/c'],
      ['a_', 'ax/b'],
      ['a%', 'ab/c'],
      // Between `a/` and `a0` in a locale's order, but not by bytes.
      ['a+b', 'a'],
      ['a&b', 'a'],
    ])('of the key %s, there may be one of %s', async (first, second) => {
      await insertInStatus(current(), status, { key: first });

      expect(await insert(second)).toStrictEqual({ outcome: 'inserted' });
    });
  });

  it('keeps buckets apart', async () => {
    await insertInStatus(current(), 'open', { key: 'a' });

    expect(await insert('a/b', 'other')).toStrictEqual({ outcome: 'inserted' });
  });

  it('finds a session that completed after the new one was created, which an earlier look at the object store may have missed', async () => {
    // insertInStatus completes it 20 ms after noon.
    await insertInStatus(current(), 'completed', { key: 'a' });

    const made = (createdAt: number) => aNewSession({ key: 'a/b', owner: 'bob', createdAt });
    expect(await current().insert(made(NOON + 20))).toStrictEqual({ outcome: 'key-conflict', conflictingKey: 'a' });
    expect(await current().insert(made(NOON + 21))).toStrictEqual({ outcome: 'inserted' });
  });

  it.each(['aborted', 'expired'] as const)('ignores a session that is %s', async (status) => {
    await insertInStatus(current(), status, { key: 'a' });

    expect(await insert('a/b')).toStrictEqual({ outcome: 'inserted' });
  });
}
