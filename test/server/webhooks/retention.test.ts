import { beforeEach, expect, it } from 'vitest';
import { forgetOldEvents } from '../../../src/server/webhooks/retention.ts';
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

const forgetAt = (at: number, hasWebhook = true) => forgetOldEvents({ outbox: store.outbox, now: () => at, log }, hasWebhook);
const count = async () => (await store.outbox.list({ limit: 10_000 })).length;

async function settleAll(how: 'markDelivered' | 'giveUp'): Promise<void> {
  for (;;) {
    const events = await store.outbox.claim(NOON + DAY, NOON + DAY, 100);
    if (events.length === 0) return;
    for (const event of events) await store.outbox[how](event, NOON + 20, 'HTTP 410');
  }
}

it('forgets what was delivered a week after it happened', async () => {
  await insertInStatus(store, 'completed');
  await settleAll('markDelivered');

  expect(await forgetAt(NOON + 7 * DAY)).toBe(0);
  expect(await forgetAt(NOON + 7 * DAY + 21)).toBe(2);
  expect(await count()).toBe(0);
});

it('keeps what is dead for a month', async () => {
  await insertInStatus(store, 'completed');
  await settleAll('giveUp');

  expect(await forgetAt(NOON + 30 * DAY)).toBe(0);
  expect(await forgetAt(NOON + 30 * DAY + 21)).toBe(2);
});

it('never forgets what is still to be sent', async () => {
  await insertInStatus(store, 'completed');

  expect(await forgetAt(NOON + 100 * DAY)).toBe(0);
});

it('forgets everything after a day where there is no webhook, but what a session needs that goes on', async () => {
  await insertInStatus(store, 'completed');
  await insertSession(store, { key: 'goes on' });

  expect(await forgetAt(NOON + DAY, false)).toBe(0);
  expect(await forgetAt(NOON + DAY + 21, false)).toBe(2);
  expect(await count()).toBe(1);
});

it('forgets any number, and lets others have their turn in between', async () => {
  for (let n = 0; n < 600; n++) await insertInStatus(store, 'aborted', { key: aUniqueName('key') });
  let turns = 0;
  const takeTurn = () => {
    turns += 1;
    turn = setImmediate(takeTurn);
  };
  let turn = setImmediate(takeTurn);

  expect(await forgetAt(NOON + 2 * DAY, false)).toBe(1_200);
  clearImmediate(turn);
  expect(turns).toBeGreaterThanOrEqual(1_200 / 200);
});

it('stops after the batch that it is at', async () => {
  for (let n = 0; n < 300; n++) await insertInStatus(store, 'aborted', { key: aUniqueName('key') });
  const stop = new AbortController();
  const outbox = interpose(store.outbox, async (_method, call) => {
    const forgotten = await call();
    if (forgotten !== 0) stop.abort();
    return forgotten;
  });

  expect(await forgetOldEvents({ outbox, now: () => NOON + 2 * DAY, log }, false, stop.signal)).toBe(200);
  expect(await count()).toBe(400);
});
