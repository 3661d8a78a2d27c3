import { expect, it } from 'vitest';
import { isTerminal, STATUSES } from '../../src/session/machine.ts';
import type { WebhookEvent } from '../../src/session/webhook-event.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import {
  aNewSession,
  aUniqueName,
  expected,
  healSession,
  insertInStatus,
  insertOpenSession,
  insertSession,
  NOON,
} from '../support/database/sessions.ts';

const DAY = 86_400_000;
/** End of leases, unless a test is about it. */
const UNTIL = NOON + DAY;
/** A time at which everything that a test began is due. */
const LATER = NOON + 1_000;

export function describeOutboxWriting(current: () => SessionStore): void {
  const typesOf = async (sessionId: string) => (await current().outbox.ofSession(sessionId)).map(({ type }) => type);

  it.each(STATUSES)(
    'a session that is %s has an event for its beginning, and one for its end if it has ended',
    async (status) => {
      const sessionId = await insertInStatus(current(), status);

      expect(await typesOf(sessionId)).toStrictEqual(
        isTerminal(status) ? ['upload.created', `upload.${status}`] : ['upload.created'],
      );
    },
  );

  it('an event has the fields of the session and the time of the change, and is due at once', async () => {
    const session = await insertSession(current(), {
      key: 'films/ü.mov',
      fileName: 'ü.mov',
      metadata: { project: 'north' },
      size: 2 ** 42,
      createdAt: NOON + 7,
    });
    const { owner, bucket, key, fileName, size, contentType, metadata, sessionId } = session;

    expect(await current().outbox.ofSession(sessionId)).toStrictEqual([
      {
        eventId: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
        sequence: 1,
        type: 'upload.created',
        createdAt: NOON + 7,
        session: { sessionId, owner, bucket, key, fileName, size, contentType, metadata, etag: null, checksum: null },
        status: 'pending',
        attempts: 0,
        pendingSince: NOON + 7,
        nextAttemptAt: NOON + 7,
        lastError: null,
        settledAt: null,
      } satisfies WebhookEvent,
    ]);
  });

  it('the event of the completion has ETag and checksum, and that of the beginning does not change', async () => {
    const { sessionId } = await insertOpenSession(current());
    const change = { to: 'completed', at: NOON + 50, etag: '"e-1"', checksum: 'q83vEg==' } as const;
    await current().changeStatus(expected(sessionId, 'open'), change);

    expect(await current().outbox.ofSession(sessionId)).toMatchObject([
      { type: 'upload.created', session: { etag: null, checksum: null } },
      { sequence: 2, type: 'upload.completed', createdAt: NOON + 50, session: { etag: '"e-1"', checksum: 'q83vEg==' } },
    ]);
  });

  it('writes no events between beginning and end, and none twice', async () => {
    const { sessionId } = await insertOpenSession(current());
    await healSession(current(), sessionId);
    const end = (from: 'open' | 'completing', to: 'completing' | 'completed') =>
      current().changeStatus(expected(sessionId, from, 2), { to, at: NOON, etag: '"e"' });
    await end('open', 'completing');
    expect(await end('completing', 'completed')).toBe(true);
    expect(await end('completing', 'completed')).toBe(false);

    expect(await typesOf(sessionId)).toStrictEqual(['upload.created', 'upload.completed']);
  });

  it('writes no event for a session that was refused', async () => {
    const file = { owner: aUniqueName('owner'), key: 'a', fingerprint: 'f' };
    await insertSession(current(), file);
    const refused = aNewSession(file);

    expect(await current().insert(refused)).toStrictEqual({ outcome: 'taken' });
    expect(await typesOf(refused.sessionId)).toStrictEqual([]);
  });

  it('gives every event an id of its own', async () => {
    for (let count = 0; count < 20; count++) await insertInStatus(current(), 'completed', { key: aUniqueName('key') });

    const events = await current().outbox.list({ limit: 100 });
    expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(40);
  });
}

export function describeOutboxDelivery(current: () => SessionStore): void {
  const lease = (at = LATER, limit = 10) => current().outbox.lease(at, UNTIL, limit);
  const leaseOne = async (at = LATER) => {
    const [event] = await lease(at, 1);
    if (event === undefined) throw new Error('nothing is due');
    return event;
  };
  const first = async (sessionId: string) => {
    const [event] = await current().outbox.ofSession(sessionId);
    if (event === undefined) throw new Error('there is no event');
    return event;
  };

  it('leases an event when it is due, to one server, with the number of the attempt', async () => {
    const { sessionId } = await insertSession(current());

    expect(await lease(NOON - 1)).toStrictEqual([]);
    const [leased] = await lease(NOON);
    expect(leased).toMatchObject({ attempts: 1, nextAttemptAt: UNTIL, session: { sessionId } });
    expect(leased).toStrictEqual(await first(sessionId));
    expect(await lease(UNTIL - 1)).toStrictEqual([]);
  });

  it('leases an event again when its lease has ended', async () => {
    const { eventId } = await insertSession(current()).then(() => leaseOne());

    expect(await leaseOne(UNTIL)).toMatchObject({ eventId, attempts: 2 });
  });

  it('leases each event to one of many servers that ask at the same time', async () => {
    for (let count = 0; count < 12; count++) await insertSession(current(), { key: aUniqueName('key') });

    const leased = (await Promise.all(Array.from({ length: 8 }, () => lease(LATER, 3)))).flat();
    const rest = await lease(LATER, 20);
    const ids = [...leased, ...rest].map(({ eventId }) => eventId);
    expect(ids).toHaveLength(12);
    expect(new Set(ids).size).toBe(12);
  });

  it('leases those events first that have been due for longest', async () => {
    for (const offset of [300, 100, 200]) await insertSession(current(), { key: `key-${offset}`, createdAt: NOON + offset });

    const keys = (await lease(LATER, 2)).map(({ session }) => session.key);
    expect(keys.sort()).toStrictEqual(['key-100', 'key-200']);
  });

  it('holds the last event back until the first one was delivered', async () => {
    const sessionId = await insertInStatus(current(), 'aborted');
    const created = await leaseOne();
    expect(created).toMatchObject({ sequence: 1, session: { sessionId } });
    expect(await lease(UNTIL - 1)).toStrictEqual([]);

    await current().outbox.markDelivered(created, LATER + 1);

    expect(await lease(LATER + 1)).toMatchObject([{ sequence: 2, type: 'upload.aborted' }]);
    expect(await first(sessionId)).toMatchObject({ status: 'delivered', settledAt: LATER + 1 });
  });

  it('does not hold the last event back if the first one was delivered before', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().outbox.markDelivered(await leaseOne(), LATER);
    await current().changeStatus(expected(sessionId, 'open'), { to: 'completed', at: LATER + 5, etag: '"e"' });

    expect(await lease(LATER + 5)).toMatchObject([{ sequence: 2, nextAttemptAt: UNTIL }]);
  });

  it('does not read the last event again and again while the first one waits', async () => {
    const { sessionId } = await insertOpenSession(current());
    await current().outbox.postpone(await leaseOne(), LATER + 500, 'HTTP 500');
    await current().changeStatus(expected(sessionId, 'open'), { to: 'completed', at: LATER, etag: '"e"' });
    const dueAt = async () => (await current().outbox.ofSession(sessionId)).map(({ nextAttemptAt }) => nextAttemptAt);
    expect(await dueAt()).toStrictEqual([LATER + 500, LATER + 500]);

    await current().outbox.postpone(await leaseOne(LATER + 500), LATER + 900, 'HTTP 500');

    expect(await dueAt()).toStrictEqual([LATER + 900, LATER + 900]);
  });

  it('postpones an event that failed, and keeps the reason', async () => {
    const { sessionId } = await insertSession(current());
    await current().outbox.postpone(await leaseOne(), LATER + 500, 'HTTP 500');

    expect(await first(sessionId)).toMatchObject({ status: 'pending', attempts: 1, lastError: 'HTTP 500' });
    expect(await lease(LATER + 499)).toStrictEqual([]);
    const again = await leaseOne(LATER + 500);
    expect(again.attempts).toBe(2);
    await current().outbox.markDelivered(again, LATER + 501);
    expect(await first(sessionId)).toMatchObject({ status: 'delivered', lastError: null });
  });

  it('marks an event dead, and goes on with the next one of the session', async () => {
    const sessionId = await insertInStatus(current(), 'completed');
    await current().outbox.markDead(await leaseOne(), LATER + 1, 'HTTP 410');

    expect(await first(sessionId)).toMatchObject({ status: 'dead', settledAt: LATER + 1, lastError: 'HTTP 410' });
    expect(await lease(LATER + 1)).toMatchObject([{ sequence: 2 }]);
    expect(await lease(UNTIL)).toMatchObject([{ sequence: 2 }]);
  });

  it('ignores the failure of an old attempt while a new one is in progress', async () => {
    const { sessionId } = await insertSession(current());
    const old = await leaseOne();
    await leaseOne(UNTIL);
    const before = await first(sessionId);

    await current().outbox.postpone(old, NOON, 'too late');
    await current().outbox.markDead(old, NOON, 'too late');

    expect(await first(sessionId)).toStrictEqual(before);
  });

  it('records the delivery by an old attempt, and ignores a later failure', async () => {
    const { sessionId } = await insertSession(current());
    const old = await leaseOne();
    const newer = await leaseOne(UNTIL);

    await current().outbox.markDelivered(old, UNTIL + 1);
    await current().outbox.postpone(newer, UNTIL + 9, 'HTTP 500');
    await current().outbox.markDead(newer, UNTIL + 9, 'HTTP 500');

    expect(await first(sessionId)).toMatchObject({ status: 'delivered', settledAt: UNTIL + 1, lastError: null });
  });

  it.each(['delivered', 'dead'] as const)('replays an event that is %s, under its id and number', async (status) => {
    const { sessionId } = await insertSession(current());
    const event = await leaseOne();
    if (status === 'dead') await current().outbox.markDead(event, LATER, 'HTTP 410');
    else await current().outbox.markDelivered(event, LATER);

    const again = { status: 'pending', attempts: 0, pendingSince: LATER + 9, nextAttemptAt: LATER + 9, settledAt: null };
    expect(await current().outbox.replay(event.eventId, LATER + 9)).toMatchObject({ ...again, sequence: 1 });
    expect(await lease(LATER + 9)).toMatchObject([{ eventId: event.eventId, attempts: 1, session: { sessionId } }]);
  });

  it('replays a pending event at once', async () => {
    await insertSession(current());
    const event = await leaseOne();
    await current().outbox.postpone(event, UNTIL, 'HTTP 500');

    await current().outbox.replay(event.eventId, LATER);

    expect(await lease(LATER)).toMatchObject([{ eventId: event.eventId }]);
  });

  it('replays nothing for an unknown event', async () => {
    expect(await current().outbox.replay('evt_unknown', LATER)).toBeUndefined();
  });

  it('replays all dead events, and no others', async () => {
    for (const key of ['a', 'b', 'c']) await insertSession(current(), { key });
    const [a, b, c] = await lease();
    if (a === undefined || b === undefined || c === undefined) throw new Error('three are due');
    await current().outbox.markDead(a, LATER, 'HTTP 410');
    await current().outbox.markDead(b, LATER, 'HTTP 410');
    await current().outbox.markDelivered(c, LATER);

    expect(await current().outbox.replayDead(LATER + 1)).toBe(2);
    expect(await current().outbox.replayDead(LATER + 1)).toBe(0);

    const ids = (await lease(LATER + 1)).map(({ eventId }) => eventId);
    expect(ids.sort()).toStrictEqual([a.eventId, b.eventId].sort());
  });
}

export function describeOutboxBacklog(current: () => SessionStore): void {
  it('is zero without events', async () => {
    expect(await current().outbox.backlog()).toStrictEqual({ pending: 0, dead: 0, oldestPendingAt: null });
  });

  it('counts pending and dead events, and has the time of the oldest pending one', async () => {
    for (const n of [1, 2, 3, 4, 5]) await insertSession(current(), { key: `key-${n}`, createdAt: NOON + n });
    const [first, second] = await current().outbox.lease(LATER, UNTIL, 2);
    if (first === undefined || second === undefined) throw new Error('two are due');
    expect(await current().outbox.backlog()).toStrictEqual({ pending: 5, dead: 0, oldestPendingAt: NOON + 1 });

    await current().outbox.markDelivered(first, LATER);
    await current().outbox.markDead(second, LATER, 'HTTP 410');
    expect(await current().outbox.backlog()).toStrictEqual({ pending: 3, dead: 1, oldestPendingAt: NOON + 3 });

    await current().outbox.replayDead(LATER);
    expect(await current().outbox.backlog()).toStrictEqual({ pending: 4, dead: 0, oldestPendingAt: NOON + 2 });
  });

  it('does not count delivered events', async () => {
    await insertSession(current());
    const [event] = await current().outbox.lease(LATER, UNTIL, 1);
    if (event === undefined) throw new Error('one is due');
    await current().outbox.markDelivered(event, LATER);

    expect(await current().outbox.backlog()).toStrictEqual({ pending: 0, dead: 0, oldestPendingAt: null });
  });
}

export function describeOutboxHistory(current: () => SessionStore): void {
  it('lists newest first, page after page', async () => {
    for (let n = 1; n <= 7; n++) await insertSession(current(), { key: `key-${n}`, createdAt: NOON + Math.ceil(n / 2) });
    const pages: WebhookEvent[][] = [];
    for (let after: WebhookEvent | undefined; ; after = pages.at(-1)?.at(-1)) {
      const page = await current().outbox.list({ limit: 3, ...(after === undefined ? {} : { after }) });
      if (page.length === 0) break;
      pages.push(page);
    }

    expect(pages.map((page) => page.length)).toStrictEqual([3, 3, 1]);
    const times = pages.flat().map(({ createdAt }) => createdAt - NOON);
    expect(times).toStrictEqual([4, 3, 3, 2, 2, 1, 1]);
    expect(new Set(pages.flat().map(({ eventId }) => eventId)).size).toBe(7);
  });

  it('lists the events of one status', async () => {
    for (const key of ['a', 'b', 'c']) await insertSession(current(), { key });
    const [a, b] = await current().outbox.lease(LATER, UNTIL, 2);
    if (a === undefined || b === undefined) throw new Error('two are due');
    await current().outbox.markDead(a, LATER, 'HTTP 410');
    await current().outbox.markDelivered(b, LATER);
    const list = async (status: WebhookEvent['status']) =>
      (await current().outbox.list({ status, limit: 9 })).map((e) => e.eventId);

    expect(await list('dead')).toStrictEqual([a.eventId]);
    expect(await list('delivered')).toStrictEqual([b.eventId]);
    expect(await list('pending')).toHaveLength(1);
  });

  it('deletes old events of a status, a limited number at a time', async () => {
    for (const key of ['a', 'b', 'c']) await insertInStatus(current(), 'aborted', { key });
    const { outbox } = current();

    expect(await outbox.deleteOld('delivered', NOON + DAY, 10)).toBe(0);
    expect(await outbox.deleteOld('pending', NOON, 10)).toBe(0);
    expect(await outbox.deleteOld('pending', NOON + 1, 2)).toBe(2);
    expect(await outbox.deleteOld('pending', NOON + 1, 2)).toBe(1);
    expect((await outbox.list({ limit: 10 })).map(({ type }) => type)).toStrictEqual(Array(3).fill('upload.aborted'));
  });

  it('deletes no event of an unfinished session, so that its last event gets the next number', async () => {
    const { sessionId } = await insertOpenSession(current());

    expect(await current().outbox.deleteOld('pending', NOON + DAY, 10)).toBe(0);
    await current().changeStatus(expected(sessionId, 'open'), { to: 'completed', at: NOON + DAY, etag: '"e"' });

    expect((await current().outbox.ofSession(sessionId)).map(({ sequence }) => sequence)).toStrictEqual([1, 2]);
  });
}
