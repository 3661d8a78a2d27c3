import { beforeEach, expect, it } from 'vitest';
import { deleteOldEvents } from '../../../src/server/webhooks/retention.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { aUniqueName, insertInStatus, insertSession, NOON } from '../../support/database/sessions.ts';
import { interpose } from '../../support/interpose.ts';

const DAY = 86_400_000;
const log = { info() {}, warn() {}, error() {} };

let store: SessionStore;
beforeEach(() => {
  store = openSqliteStore(':memory:');
  return () => store.close();
});

const deleteAt = (at: number, hasWebhook = true) => deleteOldEvents({ outbox: store.outbox, now: () => at, log }, hasWebhook);
const count = async () => (await store.outbox.list({ limit: 10_000 })).length;

async function settleAll(how: 'markDelivered' | 'markDead'): Promise<void> {
  for (;;) {
    const events = await store.outbox.lease(NOON + DAY, NOON + DAY, 100);
    if (events.length === 0) return;
    for (const event of events) await store.outbox[how](event, NOON + 20, 'HTTP 410');
  }
}

it('deletes delivered events a week after they happened', async () => {
  await insertInStatus(store, 'completed');
  await settleAll('markDelivered');

  expect(await deleteAt(NOON + 7 * DAY)).toBe(0);
  expect(await deleteAt(NOON + 7 * DAY + 21)).toBe(2);
  expect(await count()).toBe(0);
});

it('keeps dead events for a month', async () => {
  await insertInStatus(store, 'completed');
  await settleAll('markDead');

  expect(await deleteAt(NOON + 30 * DAY)).toBe(0);
  expect(await deleteAt(NOON + 30 * DAY + 21)).toBe(2);
});

it('never deletes events that are still to be sent', async () => {
  await insertInStatus(store, 'completed');

  expect(await deleteAt(NOON + 100 * DAY)).toBe(0);
});

it('deletes everything after a day where there is no webhook, except what a running session needs', async () => {
  await insertInStatus(store, 'completed');
  await insertSession(store, { key: 'goes on' });

  expect(await deleteAt(NOON + DAY, false)).toBe(0);
  expect(await deleteAt(NOON + DAY + 21, false)).toBe(2);
  expect(await count()).toBe(1);
});

it('deletes any number, and lets other work run in between', async () => {
  for (let n = 0; n < 600; n++) await insertInStatus(store, 'aborted', { key: aUniqueName('key') });
  let turns = 0;
  const takeTurn = () => {
    turns += 1;
    turn = setImmediate(takeTurn);
  };
  let turn = setImmediate(takeTurn);

  expect(await deleteAt(NOON + 2 * DAY, false)).toBe(1_200);
  clearImmediate(turn);
  expect(turns).toBeGreaterThanOrEqual(1_200 / 200);
});

it('stops after the current batch', async () => {
  for (let n = 0; n < 300; n++) await insertInStatus(store, 'aborted', { key: aUniqueName('key') });
  const stop = new AbortController();
  const outbox = interpose(store.outbox, async (_method, call) => {
    const forgotten = await call();
    if (forgotten !== 0) stop.abort();
    return forgotten;
  });

  expect(await deleteOldEvents({ outbox, now: () => NOON + 2 * DAY, log }, false, stop.signal)).toBe(200);
  expect(await count()).toBe(400);
});
