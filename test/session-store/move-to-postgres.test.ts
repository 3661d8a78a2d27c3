import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { NO_LIMITS } from '../../src/session/access.ts';
import { STATUSES } from '../../src/session/machine.ts';
import { moveToPostgres } from '../../src/session-store/move-to-postgres.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import { openPostgresStore } from '../../src/session-store/postgres/session-store.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { createEmptyDatabase, createTestDatabase, needsPostgres, type TestDatabase } from '../support/database/postgres.ts';
import {
  aNewSession,
  aReport,
  aToken,
  healSession,
  insertInStatus,
  insertOpenSession,
  NOON,
  storedParts,
} from '../support/database/sessions.ts';

needsPostgres();

let file: string;
let database: TestDatabase;
beforeEach(async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'partway-move-'));
  file = path.join(folder, 'partway.db');
  database = await createEmptyDatabase();
  onTestFinished(async () => {
    rmSync(folder, { recursive: true });
    await database.drop();
  });
});

/** Records something of every kind. */
async function fill(store: SessionStore): Promise<void> {
  for (const status of STATUSES)
    await insertInStatus(store, status, {
      key: `${status}/film 🎬 "ü".mov`,
      size: 2 ** 53 - 1,
      plan: { strategy: 'multipart', partSize: 2 ** 52, partCount: 2 },
    });
  const { sessionId } = await insertOpenSession(store, {
    key: 'open.mov',
    overwrite: true,
    tags: { a: 'b' },
    metadata: { note: '\u0001"\\' },
    fingerprint: 'print',
  });
  await store.report(aReport(sessionId, { parts: storedParts(1, 2_500), bytesPerSecond: 1234.5678 }));
  const healed = await insertOpenSession(store, { key: 'healed.mov' });
  await healSession(store, healed.sessionId);
  await store.suspectOrphan(healed.sessionId, NOON + 77);
  await store.insert(aNewSession({ key: 'once.mov' }), { key: 'key-1', requestHash: 'hash-1' });
  await store.insertToken(
    aToken({
      tokenId: 'tok_1',
      hash: 'hash',
      limits: { ...NO_LIMITS, contentTypes: ['video/*'], quotaBytes: 2 ** 53 - 1 },
      expiresAt: NOON + 1,
    }),
  );
  await store.revokeToken('tok_1', NOON + 2);
  const capability = { capabilityId: 'cap_1', hash: 'hash-2', sessionId, grantedBy: 'tok_1' };
  await store.insertCapability({ ...capability, createdAt: NOON, expiresAt: NOON + 3 }, 1);
}

/** Reads everything through the port. */
async function contentsOf(store: SessionStore) {
  const { sessions } = await store.list({ limit: 1_000 });
  return {
    sessions,
    parts: await Promise.all(sessions.map(({ sessionId, generation }) => store.listParts(sessionId, generation))),
    usage: await store.usageOf('alice'),
    totals: await store.totals(),
    tokens: await store.listTokens(),
    capability: await store.findCapabilityByHash('hash-2'),
    idempotency: await store.findByIdempotencyKey('alice', 'key-1'),
    leftovers: await store.leftoverUploads(Number.MAX_SAFE_INTEGER, 100),
    suspects: await store.listOrphanSuspects(Number.MAX_SAFE_INTEGER, 100),
  };
}

describe('moving a SQLite database to PostgreSQL', () => {
  it('copies everything, and servers continue as if nothing had happened', async () => {
    const before = openSqliteStore(file);
    await fill(before);
    const contents = await contentsOf(before);
    await before.close();

    const moved = await moveToPostgres(file, database.url);

    const after = await openPostgresStore(database.url);
    onTestFinished(() => after.close());
    expect(await contentsOf(after)).toEqual(contents);
    expect(moved).toMatchObject({ upload_sessions: 10, parts: 2_500, tokens: 1 });
    // Triggers count and write events again, for new changes.
    const [events] = await database.query<{ count: number }>('SELECT COUNT(*)::integer AS count FROM events');
    expect(events?.count).toBe(moved.events);
    const session = await insertOpenSession(after, { key: 'new.mov', size: 5 });
    await after.report(aReport(session.sessionId, { parts: storedParts(1, 1, { size: 5 }) }));
    expect((await after.totals()).heldBytes).toBe(contents.totals.heldBytes + 5);
    expect((await after.usageOf('alice')).openSessions).toBe(contents.usage.openSessions + 1);
    const [eventsAfter] = await database.query<{ count: number }>('SELECT COUNT(*)::integer AS count FROM events');
    expect(eventsAfter?.count).toBe(moved.events + 1);
  });

  it('leaves the SQLite file as it was', async () => {
    const before = openSqliteStore(file);
    await fill(before);
    const contents = await contentsOf(before);
    await before.close();

    await moveToPostgres(file, database.url);

    const again = openSqliteStore(file);
    onTestFinished(() => again.close());
    expect(await contentsOf(again)).toEqual(contents);
  });

  it('is refused while a server has the database open, but not after one was killed a moment ago', async () => {
    const server = openSqliteStore(file, { isServer: true });
    await server.acquireSweepLease('the only server', NOON, 60_000);

    await expect(moveToPostgres(file, database.url)).rejects.toThrow(/Another partway server has the database/);
    await server.close();
    await expect(moveToPostgres(file, database.url)).resolves.toMatchObject({ upload_sessions: 0 });
  });

  it('is refused if the target is not empty, and changes nothing there', async () => {
    await openSqliteStore(file).close();
    const used = await createTestDatabase();
    onTestFinished(() => used.drop());
    const store = await openPostgresStore(used.url);
    onTestFinished(() => store.close());
    await store.insertToken(aToken());

    await expect(moveToPostgres(file, used.url)).rejects.toThrow(/is not empty: there are rows in its table tokens/);
    expect(await store.listTokens()).toHaveLength(1);
  });

  it('that is interrupted leaves an empty database, and can be run again', async () => {
    const before = openSqliteStore(file);
    await fill(before);
    await before.close();
    await moveToPostgres(file, database.url);
    await database.clear();
    await database.query(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$",
    );
    await database.query('CREATE TRIGGER refuse BEFORE INSERT ON tokens EXECUTE FUNCTION refuse()');

    await expect(moveToPostgres(file, database.url)).rejects.toThrow('no room');

    expect(await database.query('SELECT 1 FROM upload_sessions')).toEqual([]);
    await database.query('DROP TRIGGER refuse ON tokens');
    expect(await moveToPostgres(file, database.url)).toMatchObject({ upload_sessions: 10 });
  });
});
