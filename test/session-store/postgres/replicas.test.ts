import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import type { InsertOutcome, NewSession, OwnerLimits } from '../../../src/session-store/port/sessions.ts';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { createTestDatabase, needsPostgres, type TestDatabase } from '../../support/database/postgres.ts';
import {
  aNewSession,
  aReport,
  aStoredPart,
  aUniqueName,
  expected,
  insertInStatus,
  insertOpenSession,
  insertSession,
  mustGet,
  NOON,
  storedParts,
} from '../../support/database/sessions.ts';

needsPostgres();

let shared: TestDatabase | undefined;
let database: TestDatabase;
let one: SessionStore;
let two: SessionStore;
beforeEach(async () => {
  shared ??= await createTestDatabase();
  database = shared;
  [one, two] = [await openPostgresStore(database.url), await openPostgresStore(database.url)];
});
afterEach(async () => {
  await Promise.all([one?.close(), two?.close()]);
  await shared?.clear();
});
afterAll(() => shared?.drop());

const UNLIMITED: OwnerLimits = { quotaBytes: null, maxOpenSessions: null };

/** Inserts many sessions with different keys at the same time, every other one by the second server. */
function insertAll(count: number, session: Partial<NewSession>, limits: Partial<OwnerLimits>): Promise<InsertOutcome[]> {
  return onBoth(count, (store) =>
    store.insert(aNewSession({ key: aUniqueName('key'), ...session }), undefined, { ...UNLIMITED, ...limits }),
  );
}

function onBoth<Result>(count: number, work: (store: SessionStore, index: number) => Promise<Result>): Promise<Result[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index % 2 === 0 ? one : two, index)));
}

function countOf(outcomes: readonly InsertOutcome[], outcome: InsertOutcome['outcome']): number {
  return outcomes.filter((one) => one.outcome === outcome).length;
}

describe('two servers on one PostgreSQL database', () => {
  it("see each other's writes at once", async () => {
    const { sessionId } = await insertOpenSession(one);
    await two.report(aReport(sessionId, { parts: storedParts(1, 3) }));

    expect((await mustGet(one, sessionId)).partsStored).toBe(3);
    expect(await two.changeStatus(expected(sessionId, 'open'), { to: 'completing', at: NOON })).toBe(true);
    expect(await one.changeStatus(expected(sessionId, 'open'), { to: 'completing', at: NOON })).toBe(false);
  });

  it('accept exactly as many bytes of an owner as the quota allows, and count them', async () => {
    const outcomes = await insertAll(40, { owner: 'alice', size: 30 }, { quotaBytes: 1_000 });

    expect(countOf(outcomes, 'inserted')).toBe(33);
    expect(countOf(outcomes, 'quota-exceeded')).toBe(7);
    expect(await one.usageOf('alice')).toStrictEqual({ openSessions: 33, reservedBytes: 990, settledBytes: 0 });
  });

  it('accept exactly as many sessions of an owner as the limit allows', async () => {
    const outcomes = await insertAll(20, { owner: 'alice' }, { maxOpenSessions: 5 });

    expect(countOf(outcomes, 'inserted')).toBe(5);
    expect(countOf(outcomes, 'too-many-sessions')).toBe(15);
  });

  it('count right to the byte while sessions begin and end', async () => {
    const ending: string[] = [];
    for (let count = 0; count < 10; count++)
      ending.push(await insertInStatus(one, 'completing', { owner: 'alice', size: 7, key: aUniqueName('key') }));

    await Promise.all([
      insertAll(20, { owner: 'alice', size: 100 }, { quotaBytes: 1_000_000 }),
      ...ending.map((sessionId, index) =>
        (index % 2 === 0 ? two : one).changeStatus(expected(sessionId, 'completing'), { to: 'completed', at: NOON, etag: 'e' }),
      ),
    ]);

    expect(await one.usageOf('alice')).toStrictEqual({ openSessions: 20, reservedBytes: 2_000, settledBytes: 70 });
  });

  it('create one session for one file', async () => {
    const file = { owner: 'alice', key: 'a', size: 5, fingerprint: 'f' };
    const outcomes = await insertAll(20, file, {});

    expect(countOf(outcomes, 'inserted')).toBe(1);
    expect(countOf(outcomes, 'taken')).toBe(19);
  });

  it('never accept an object and one below it, even of different owners', async () => {
    for (let round = 0; round < 15; round++) {
      const key = aUniqueName('a/b');
      const outcomes = await Promise.all([
        one.insert(aNewSession({ owner: aUniqueName('owner'), key })),
        two.insert(aNewSession({ owner: aUniqueName('owner'), key: `${key}/c/d` })),
      ]);

      expect(outcomes.map(({ outcome }) => outcome).sort()).toStrictEqual(['inserted', 'key-conflict']);
    }
  });

  it('do not wait for each other if owners and keys differ', async () => {
    // Half-way through its insert, `a/one` holds all its locks.
    await database.query(`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_advisory_xact_lock(1, 1); RETURN new; END $$`);
    await database.query(`CREATE TRIGGER hold BEFORE INSERT ON upload_sessions FOR EACH ROW WHEN (new.object_key = 'a/one')
      EXECUTE FUNCTION hold()`);
    onTestFinished(async () => void (await database.query('DROP FUNCTION hold CASCADE')));
    const gate = await openGate();
    const held = one.insert(aNewSession({ owner: 'alice', key: 'a/one' }));
    await database.untilSomebodyWaits();

    expect(await two.insert(aNewSession({ owner: 'bob', key: 'a/two' }))).toStrictEqual({ outcome: 'inserted' });

    await gate.open();
    expect(await held).toStrictEqual({ outcome: 'inserted' });
  });

  it('refuse one of two that reserve an idempotency key at the same time', async () => {
    const other = await insertSession(one, { owner: 'alice' });
    const gate = await openGate(`INSERT INTO idempotency_keys VALUES ('alice', 'key-1', 'hash', '${other.sessionId}', 0)`);
    const session = aNewSession({ owner: 'alice' });
    const inserting = two.insert(session, { key: 'key-1', requestHash: 'hash' });
    await database.untilSomebodyWaits();
    await gate.open();

    expect(await inserting).toStrictEqual({ outcome: 'taken' });
    expect(await two.get(session.sessionId)).toBeUndefined();
  });

  it('report a taken file even if a server of another version ignores the locks', async () => {
    const file = { owner: 'alice', key: 'a', size: 5, fingerprint: 'f' };
    const first = await insertSession(one, { ...file, fingerprint: null });
    const gate = await openGate(`UPDATE upload_sessions SET fingerprint = 'f' WHERE session_id = '${first.sessionId}'`);
    const inserting = two.insert(aNewSession(file));
    await database.untilSomebodyWaits();
    await gate.open();

    expect(await inserting).toStrictEqual({ outcome: 'taken' });
  });

  it('let one of many simultaneous changes of a status through', async () => {
    const { sessionId } = await insertOpenSession(one);
    const won = await onBoth(20, (store, index) =>
      store.changeStatus(expected(sessionId, 'open'), {
        to: index % 3 === 0 ? 'aborting' : 'completing',
        at: NOON,
        endsAs: 'aborted',
      }),
    );

    expect(won.filter(Boolean)).toHaveLength(1);
  });

  it('give a session to one of many new clients, and lose no part', async () => {
    const { sessionId } = await insertOpenSession(one);
    const report = (index: number) => aReport(sessionId, { clientId: `client-${index}`, parts: [aStoredPart(index + 1)] });
    const first = await onBoth(20, (store, index) => store.report(report(index)));
    expect(first.map(({ outcome }) => outcome)).toStrictEqual(Array.from({ length: 20 }, () => 'recorded'));
    expect((await mustGet(two, sessionId)).partsStored).toBe(20);

    const second = await onBoth(20, (store, index) => store.report(report(index)));
    expect(second.filter(({ outcome }) => outcome === 'recorded')).toHaveLength(1);
  });

  it('do not deadlock when one lists parts while clients report them in another order', async () => {
    const { sessionId } = await insertOpenSession(one);
    const parts = storedParts(1, 200);
    await onBoth<unknown>(12, (store, index) =>
      index % 3 === 0
        ? store.replaceParts(sessionId, 1, parts.slice(0, 150), NOON + index)
        : store.report(aReport(sessionId, { parts: parts.slice(100).reverse(), at: NOON + 100 + index })),
    );

    // Reported after the object store was asked, so none of them is gone.
    expect((await mustGet(one, sessionId)).partsStored).toBe(200);
  });

  it('sweep one at a time', async () => {
    const leases = await onBoth(10, (store, index) => store.acquireSweepLease(`server-${index}`, NOON, 1_000));

    expect(leases.filter(Boolean)).toHaveLength(1);
  });
});

/** Opens a transaction of another program, which also holds the lock (1, 1), until it is ended. */
async function openGate(sql = 'SELECT 1'): Promise<{ open(): Promise<void> }> {
  const session = await database.connect();
  await session.query('BEGIN');
  await session.query('SELECT pg_advisory_xact_lock(1, 1)');
  await session.query(sql);
  return {
    async open() {
      await session.query('COMMIT');
      await session.end();
    },
  };
}
