import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished } from 'vitest';
import type { WebhookEvent } from '../../../src/session/webhook-event.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import type { TestContext } from '../../support/client/cli-run.ts';
import { test } from '../../support/client/cli-test.ts';
import { insertInStatus, insertSession, NOON } from '../../support/database/sessions.ts';

const SECRET_FREE = { lastError: 'HTTP 410' };

function onServerOf(folder: string): Partial<TestContext> {
  return { env: { LANG: 'C.UTF-8', PARTWAY_DATABASE_URL: join(folder, 'partway.db') } };
}

/** A server's database: a completed upload whose beginning is dead and whose end is delivered, and one that has begun. */
async function aHistory(
  folder: string,
): Promise<{ store: SessionStore; dead: WebhookEvent; delivered: WebhookEvent; pending: WebhookEvent }> {
  const store = openSqliteStore(join(folder, 'partway.db'));
  onTestFinished(() => store.close());
  await insertInStatus(store, 'completed', { key: 'done.mov' });
  const [dead] = await store.outbox.lease(NOON + 50, NOON + 60, 1);
  if (dead === undefined) throw new Error('nothing is due');
  await store.outbox.markDead(dead, NOON + 51, SECRET_FREE.lastError);
  const [delivered] = await store.outbox.lease(NOON + 52, NOON + 60, 1);
  if (delivered === undefined) throw new Error('nothing is due');
  await store.outbox.markDelivered(delivered, NOON + 53);
  const { sessionId } = await insertSession(store, { key: 'begun.mov', createdAt: NOON + 100 });
  const [pending] = await store.outbox.ofSession(sessionId);
  if (pending === undefined) throw new Error('no event');
  return { store, dead, delivered, pending };
}

describe('partway events', () => {
  let status: (event: WebhookEvent) => Promise<string | undefined>;
  let history: Awaited<ReturnType<typeof aHistory>>;
  beforeEach(() => {
    status = async ({ eventId, session }) =>
      (await history.store.outbox.ofSession(session.sessionId)).find((event) => event.eventId === eventId)?.status;
  });

  test('list shows events with their delivery, newest first', async ({ partway, folder }) => {
    history = await aHistory(folder);
    const { exitCode, stdout } = await partway(['events', 'list'], onServerOf(folder));

    expect(exitCode).toBe(0);
    expect(stdout.lines).toHaveLength(4);
    expect(stdout.lines[0]).toMatch(/^EVENT +TYPE +STATUS +HAPPENED +ATTEMPTS +NEXT +SESSION +LAST ERROR$/);
    expect(stdout.lines[1]).toMatch(new RegExp(`^${history.pending.eventId} +upload.created +pending`));
    expect(stdout.lines[2]).toMatch(new RegExp(`^${history.delivered.eventId} +upload.completed +delivered`));
    expect(stdout.lines[3]).toMatch(new RegExp(`^${history.dead.eventId} +upload.created +dead .*HTTP 410$`));
  });

  test('list --json is one event a line, with instants as the wire has them', async ({ partway, folder }) => {
    history = await aHistory(folder);
    const { stdout } = await partway(['events', 'list', '--status', 'delivered', '--json'], onServerOf(folder));

    const { sessionId, owner, bucket, key, size } = history.delivered.session;
    expect(stdout.jsonLines).toStrictEqual([
      {
        eventId: history.delivered.eventId,
        type: 'upload.completed',
        sequence: 2,
        status: 'delivered',
        createdAt: '2026-11-23T12:00:00.020Z',
        attempts: 1,
        nextAttemptAt: null,
        settledAt: '2026-11-23T12:00:00.053Z',
        lastError: null,
        sessionId,
        owner,
        bucket,
        key,
        size,
      },
    ]);
  });

  test('list shows the events of a session, of a status, or a number of events', async ({ partway, folder }) => {
    history = await aHistory(folder);
    const idsOf = async (...flags: string[]) =>
      (await partway(['events', 'list', '--json', ...flags], onServerOf(folder))).stdout.jsonLines.map(
        (line) => (line as { eventId: string }).eventId,
      );
    const { pending, delivered, dead } = history;

    expect(await idsOf('--session', dead.session.sessionId)).toStrictEqual([delivered.eventId, dead.eventId]);
    expect(await idsOf('--session', dead.session.sessionId, '--status', 'dead')).toStrictEqual([dead.eventId]);
    expect(await idsOf('--session', 'ses_unknown')).toStrictEqual([]);
    expect(await idsOf('--limit', '2')).toStrictEqual([pending.eventId, delivered.eventId]);
    const { stdout, stderr } = await partway(['events', 'list', '--limit', '2'], onServerOf(folder));
    expect(stdout.lines).toHaveLength(3);
    expect(stderr.text).toContain('There are more');
  });

  test('replay makes an event due again, whatever its delivery', async ({ partway, folder }) => {
    history = await aHistory(folder);
    const { exitCode, stdout } = await partway(['events', 'replay', history.delivered.eventId], onServerOf(folder));

    expect(exitCode).toBe(0);
    const { eventId, session } = history.delivered;
    expect(stdout.text).toBe(`${eventId} is due again: upload.completed of ${session.sessionId}\n`);
    expect(await status(history.delivered)).toBe('pending');
    expect(await status(history.dead)).toBe('dead');
  });

  test('replay --dead makes all dead events due again, and no others', async ({ partway, folder }) => {
    history = await aHistory(folder);
    const { stdout } = await partway(['events', 'replay', '--dead', '--json'], onServerOf(folder));

    expect(stdout.jsonLines).toStrictEqual([{ type: 'replayed', count: 1 }]);
    expect(await status(history.dead)).toBe('pending');
    expect(await status(history.delivered)).toBe('delivered');
    const again = await partway(['events', 'replay', '--dead'], onServerOf(folder));
    expect(again.stdout.text).toBe('0 dead events are due again\n');
  });

  test('replay of an unknown event says so', async ({ partway, folder }) => {
    history = await aHistory(folder);
    const { exitCode, stderr } = await partway(['events', 'replay', 'evt_unknown'], onServerOf(folder));

    expect(exitCode).toBe(1);
    expect(stderr.text).toContain('There is no event "evt_unknown".');
  });

  test.for([[], ['evt_1', '--dead']])('replay %j is a usage error', async (words, { partway, folder }) => {
    history = await aHistory(folder);
    const { exitCode, stderr } = await partway(['events', 'replay', ...words], onServerOf(folder));

    expect(exitCode).toBe(2);
    expect(stderr.text).toContain('Name one event, or give --dead.');
  });

  test.for([['list'], ['replay', 'evt_1']])('%j makes no database where there is none', async (words, { partway, folder }) => {
    const { exitCode, stderr } = await partway(['events', ...words], onServerOf(folder));

    expect(exitCode).toBe(2);
    expect(stderr.text).toContain(`There is no database at ${join(folder, 'partway.db')}`);
  });

  test.for(['list', 'replay'])('has help for events %s', async (name, { partway }) => {
    const { exitCode, stdout } = await partway(['events', name, '--help']);

    expect(exitCode).toBe(0);
    for (const word of [`partway events ${name}`, 'EXAMPLES', 'PARTWAY_DATABASE_URL']) expect(stdout.text).toContain(word);
  });
});
