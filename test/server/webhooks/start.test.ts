import { Writable } from 'node:stream';
import { pino } from 'pino';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Secret } from '../../../src/server/core/secret.ts';
import { startWebhooks } from '../../../src/server/webhooks/start.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { OTHER_WEBHOOK_SECRET, WEBHOOK_SECRET } from '../../support/events.ts';
import { insertInStatus, insertSession } from '../../support/sessions.ts';
import { answersWith, NEVER_ANSWERS, verify, WebhookReceiver } from '../../support/webhook-receiver.ts';

let store: SessionStore;
let receiver: WebhookReceiver;
let logged: string;
let noteLogged: () => void = () => {};
beforeEach(async () => {
  logged = '';
  store = openSqliteStore(':memory:');
  receiver = await WebhookReceiver.start();
  return async () => {
    await receiver.stop();
    await store.close();
  };
});

function start(url: string): { stop(): Promise<void> } {
  const sink = new Writable({
    write(line, _encoding, done) {
      logged += String(line);
      noteLogged();
      done();
    },
  });
  const secrets = [WEBHOOK_SECRET, OTHER_WEBHOOK_SECRET].map((secret) => new Secret(secret));
  const deps = { outbox: store.outbox, now: Date.now, log: pino({ level: 'trace' }, sink), tell: () => {} };
  const webhooks = startWebhooks(deps, { url: new Secret(url), secrets });
  onTestFinished(() => webhooks.stop());
  return webhooks;
}

it('old events are deleted at the start only by a trusted clock', async () => {
  await insertInStatus(store, 'expired');
  const deps = { outbox: store.outbox, now: () => Date.now() + 365 * 86_400_000, log: pino({ level: 'silent' }), tell: () => {} };
  const left = async () => (await store.outbox.list({ limit: 10 })).length;
  await startWebhooks({ ...deps, mayDelete: () => false }, undefined).stop();
  expect(await left()).toBe(2);
  const webhooks = startWebhooks({ ...deps, mayDelete: () => true }, undefined);
  await expect.poll(left).toBe(0);
  await webhooks.stop();
});

describe('a server with a webhook', () => {
  it('sends it the events of a session in order, signed', async () => {
    await insertInStatus(store, 'expired');
    start(receiver.url);
    await receiver.until(({ length }) => length === 2);

    expect(receiver.received.map((one) => verify(one, WEBHOOK_SECRET))).toMatchObject([
      { type: 'upload.created', data: { sequence: 1 } },
      { type: 'upload.expired', data: { sequence: 2 } },
    ]);
  });

  it('stops within a second while the webhook does not answer, and will send the event again', async () => {
    const { sessionId } = await insertSession(store, { createdAt: Date.now() });
    receiver.respond = NEVER_ANSWERS;
    const webhooks = start(receiver.url);
    await receiver.until(({ length }) => length === 1);
    const startedAt = performance.now();

    await webhooks.stop();

    expect(performance.now() - startedAt).toBeLessThan(1_000);
    const [event] = await store.outbox.ofSession(sessionId);
    expect(event?.status).toBe('pending');
    expect(event?.nextAttemptAt).toBeLessThanOrEqual(Date.now());
  });

  it('logs and keeps nothing secret when it fails', async () => {
    await insertInStatus(store, 'completed');
    receiver.respond = answersWith(500, { 'set-cookie': 'cookie-of-the-receiver' });
    const url = `${receiver.url.replace('http://', 'http://ann:pass-of-ann@')}/hooks/secret-path?key=secret-query`;
    const webhooks = start(url);
    await new Promise<void>((resolve) => {
      noteLogged = resolve;
    });
    await webhooks.stop();

    expect(logged).toContain('the webhook does not accept events');
    const kept = JSON.stringify(await store.outbox.list({ limit: 10 }));
    const signature = String(receiver.received[0]?.headers['webhook-signature']);
    expect(signature).toMatch(/^v1,\S+ v1,\S+$/);
    const secrets = ['pass-of-ann', 'secret-path', 'secret-query', 'cookie-of', WEBHOOK_SECRET.slice(6), ...signature.split(' ')];
    for (const secret of secrets) expect((logged + kept).includes(secret), `${secret} is there`).toBe(false);
  });
});
