import { inspect } from 'node:util';
import { afterAll, afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { SessionStoreStartError } from '../../../src/session-store/port/start-error.ts';
import { SessionStoreUnavailable } from '../../../src/session-store/port/unavailable.ts';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { createTestDatabase, databaseAt, needsPostgres, type TestDatabase } from '../../support/database/postgres.ts';
import { findPostgres, startPostgres } from '../../support/database/postgres-server.ts';
import {
  aNewSession,
  aReport,
  aStoredPart,
  insertOpenSession,
  insertSession,
  mustGet,
  NOON,
  storedParts,
} from '../../support/database/sessions.ts';
import { skipBecause } from '../../support/skip-because.ts';

needsPostgres();

let shared: TestDatabase | undefined;
let database: TestDatabase;
let store: SessionStore;
beforeEach(async () => {
  shared ??= await createTestDatabase();
  database = shared;
  store = await openPostgresStore(database.url);
});
afterEach(async () => {
  await store?.close();
  await shared?.clear();
});
afterAll(() => shared?.drop());

describe('a PostgreSQL connection that is lost', () => {
  it('is replaced: after all idle connections are gone, the store continues', async () => {
    const { sessionId } = await insertOpenSession(store);
    await Promise.all(Array.from({ length: 10 }, () => store.ping()));

    await database.disconnectAll();
    await untilAnswered();

    expect((await mustGet(store, sessionId)).status).toBe('open');
    await insertSession(store);
  });

  it('ends its unfinished transaction, and waiting calls fail as away', async () => {
    const { sessionId } = await insertOpenSession(store);
    const before = await mustGet(store, sessionId);
    const other = await database.connect();
    await other.query('BEGIN');
    await other.query(`SELECT 1 FROM upload_sessions WHERE session_id = '${sessionId}' FOR UPDATE`);
    const report = store.report(aReport(sessionId, { parts: storedParts(1, 3) }));
    const rejected = expect(report).rejects.toThrow(SessionStoreUnavailable);
    await database.untilSomebodyWaits();

    await database.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    await rejected;
    await other.query('ROLLBACK');
    await other.end();

    expect(await store.get(sessionId)).toStrictEqual(before);
    expect(await store.report(aReport(sessionId, { parts: storedParts(1, 3) }))).toMatchObject({ outcome: 'recorded' });
  });
});

describe('a PostgreSQL server that is killed -9', () => {
  it('fails pings without its password in the message, and after its return has everything acknowledged except reports of the last second', async (context) => {
    const binaries = await findPostgres();
    if (binaries === undefined)
      return skipBecause(context, 'PostgreSQL is not installed here, and the given one is not ours to kill');
    const server = await startPostgres(binaries);
    onTestFinished(() => server.stop());
    const mortal = await openPostgresStore(server.url);
    onTestFinished(() => mortal.close());
    const { sessionId } = await insertOpenSession(mortal);
    await mortal.report(aReport(sessionId, { parts: storedParts(1, 5) }));
    const inserted = await insertSession(mortal); // Waits for the disk, so that all earlier writes are there as well.
    await mortal.report(aReport(sessionId, { parts: storedParts(6, 10) }));

    const own = databaseAt(server.url);
    const other = await own.connect();
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM upload_sessions FOR UPDATE');
    const underWay = errorOf(mortal.touch(sessionId, NOON));
    await own.untilSomebodyWaits();

    await server.kill();
    expect(await underWay).toBeInstanceOf(SessionStoreUnavailable);
    const errors = await Promise.all([mortal.ping(), mortal.get(sessionId), mortal.insert(aNewSession())].map(errorOf));
    for (const error of errors) {
      expect(error).toBeInstanceOf(SessionStoreUnavailable);
      expect(inspect(error, { depth: null, showHidden: true })).not.toContain(new URL(server.url).password);
    }
    expect(String(errors[0])).toContain('PostgreSQL');

    await server.restart();
    expect([5, 10]).toContain((await mustGet(mortal, sessionId)).partsStored);
    await mustGet(mortal, inserted.sessionId);
    await insertSession(mortal);
  });
});

describe('a PostgreSQL database that cannot be opened', () => {
  it.each<[string, (url: URL) => void, RegExp]>([
    ['nothing listens', (url) => Object.assign(url, { port: '1' }), /ECONNREFUSED/],
    ['the password is wrong', (url) => Object.assign(url, { password: 'swordfish' }), /password authentication failed/],
    ['the database does not exist', (url) => Object.assign(url, { pathname: '/nowhere' }), /"nowhere" does not exist/],
  ])('says so where %s, says what to check, and shows no password', async (_, change, reason) => {
    const url = new URL(database.url);
    change(url);

    const error = await errorOf(openPostgresStore(url.href));

    expect(error).toBeInstanceOf(SessionStoreStartError);
    expect(error).toMatchObject({
      message: expect.stringMatching(reason),
      hint: expect.stringContaining('PARTWAY_DATABASE_URL'),
    });
    for (const password of ['swordfish', new URL(database.url).password])
      expect(inspect(error, { depth: null, showHidden: true })).not.toContain(password);
  });

  it('is reported as read-only, with the hint to name the primary', async () => {
    const error = await whileReadOnly(() => errorOf(openPostgresStore(database.url)));

    expect(error).toBeInstanceOf(SessionStoreStartError);
    expect(error).toMatchObject({
      message: expect.stringContaining('read-only transaction (25006)'),
      hint: expect.stringContaining('primary'),
    });
  });
});

describe('a PostgreSQL database that becomes read-only', () => {
  it('refuses writes and pings as unavailable, serves reads, and recovers once it accepts writes again', async () => {
    const { sessionId } = await insertOpenSession(store);

    const errors = await whileReadOnly(async () => {
      expect((await mustGet(store, sessionId)).status).toBe('open');
      return Promise.all([
        errorOf(store.ping()),
        errorOf(store.insert(aNewSession())),
        errorOf(store.touch(sessionId, NOON)),
        errorOf(store.report(aReport(sessionId))),
        errorOf(store.outbox.replayDead(NOON)),
      ]);
    });

    for (const error of errors) expect(error).toMatchObject({ name: 'SessionStoreUnavailable', reason: 'read-only' });
    await untilAnswered();
    expect(await store.report(aReport(sessionId))).toMatchObject({ outcome: 'recorded' });
  });
});

/** Sets the default of new connections, as an administrator does, and ends the existing connections before and after. */
async function whileReadOnly<Result>(work: () => Promise<Result>): Promise<Result> {
  const name = new URL(database.url).pathname.slice(1);
  await database.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  await database.disconnectAll();
  try {
    await untilAnswered();
    return await work();
  } finally {
    const admin = await database.connect();
    await admin.query('SET default_transaction_read_only = off');
    await admin.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await admin.end();
    await database.disconnectAll();
  }
}

describe('a PostgreSQL write for which the server lacks resources', () => {
  it.each([
    ['a disk without room', '53100', 'full'],
    ['a disk that fails', '58030', 'disk-error'],
    ['memory', '53200', 'away'],
  ])('fails as temporary, and writes nothing: %s', async (_, code, reason) => {
    const { sessionId } = await insertOpenSession(store);
    await failWhen('INSERT ON parts', 'new.part_number = 9', code);

    expect(await errorOf(store.report(aReport(sessionId, { parts: storedParts(1, 9) })))).toMatchObject({
      name: 'SessionStoreUnavailable',
      reason,
    });

    expect((await mustGet(store, sessionId)).partsStored).toBe(0);
  });
});

/** Triggers make the last write fail in each method with several writes; the earlier ones must be gone. */
describe('a PostgreSQL write that fails half-way', () => {
  it('inserts no session whose idempotency key was not reserved', async () => {
    await failWhen('INSERT ON idempotency_keys');
    const session = aNewSession();

    await expect(store.insert(session, { key: 'key-1', requestHash: 'hash-1' })).rejects.toThrow('injected fault');

    expect(await store.get(session.sessionId)).toBeUndefined();
    expect(await store.usageOf(session.owner)).toMatchObject({ openSessions: 0, reservedBytes: 0 });
  });

  it('opens no session whose upload was not recorded', async () => {
    await failWhen('INSERT ON multipart_uploads');
    const { sessionId } = await insertSession(store);
    const upload = { uploadId: 'upload-a', initiatedAt: NOON };

    await expect(store.openUpload({ sessionId, status: 'creating', generation: 1 }, upload, NOON)).rejects.toThrow(
      'injected fault',
    );

    expect((await mustGet(store, sessionId)).status).toBe('creating');
  });

  it('replaces no parts unless all were replaced', async () => {
    const { sessionId } = await insertOpenSession(store);
    await store.replaceParts(sessionId, 1, storedParts(1, 5), NOON + 1);
    await failWhen('INSERT ON parts', 'new.part_number = 9');

    await expect(store.replaceParts(sessionId, 1, storedParts(6, 9), NOON + 2)).rejects.toThrow('injected fault');

    expect(await store.listParts(sessionId, 1)).toStrictEqual(storedParts(1, 5));
  });

  it('records neither client nor parts of a report whose figures were not recorded', async () => {
    const { sessionId } = await insertOpenSession(store);
    await store.report(aReport(sessionId, { clientId: 'old' }));
    const before = await store.get(sessionId);
    await failWhen('UPDATE ON upload_sessions', 'new.in_flight_bytes = 13');

    const report = aReport(sessionId, { clientId: 'new', parts: [aStoredPart(1)], inFlightBytes: 13 });
    await expect(store.report(report)).rejects.toThrow('injected fault');

    expect(await store.get(sessionId)).toStrictEqual(before);
    expect(await store.report(aReport(sessionId, { clientId: 'old' }))).toMatchObject({ outcome: 'recorded' });
  });

  it.each([
    ['a deadlock', '40P01'],
    ['a serialization failure', '40001'],
  ])('is done again after %s', async (_, code) => {
    await failWhen('INSERT ON upload_sessions', 'true', code);
    const session = aNewSession();

    expect(await store.insert(session)).toStrictEqual({ outcome: 'inserted' });

    expect(await store.get(session.sessionId)).toBeDefined();
  });

  it('names the refusal without quoting rows', async () => {
    const impossible = aNewSession({
      fileName: 'my-private-file-name',
      size: -1,
      plan: { strategy: 'single', partSize: 1, partCount: 1 },
    });

    const error = await errorOf(store.insert(impossible));

    expect(String(error)).toContain('upload_sessions_size_check');
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('my-private-file-name');
  });
});

/** The pool notices only later that idle connections ended, so one call may still meet one. */
async function untilAnswered(): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      await store.get('nobody');
      return;
    } catch (error) {
      expect(error).toBeInstanceOf(SessionStoreUnavailable);
      expect(failures).toBeLessThan(10);
    }
  }
}

/** The next three times. */
async function failWhen(event: string, condition = 'true', code = 'P0001'): Promise<void> {
  await database.query('CREATE SEQUENCE faults');
  await database.query(`CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF nextval('faults') <= 3 THEN RAISE EXCEPTION 'injected fault' USING ERRCODE = '${code}'; END IF; RETURN new; END $$`);
  await database.query(`CREATE TRIGGER fault BEFORE ${event} FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION fault()`);
  onTestFinished(async () => {
    await database.query('DROP FUNCTION fault CASCADE');
    await database.query('DROP SEQUENCE faults');
  });
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) throw new Error('nothing was thrown');
  return outcome.error;
}
