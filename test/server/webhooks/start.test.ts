import { Writable } from 'node:stream';
import { createServer } from 'node:tls';
import { pino } from 'pino';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { MakeAgent } from '../../../src/outbound/direct-agent.ts';
import { agentsThrough } from '../../../src/outbound/proxy-agents.ts';
import { parseProxies } from '../../../src/outbound/proxy-settings.ts';
import { Secret } from '../../../src/server/core/secret.ts';
import { startTelling } from '../../../src/server/webhooks/start.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { insertInStatus, insertSession } from '../../support/database/sessions.ts';
import { makeCertificate } from '../../support/network/certificates.ts';
import { answersWith, NEVER_ANSWERS, verify, WebhookReceiver } from '../../support/network/webhook-receiver.ts';
import { startForwardProxy } from '../../support/proxies/forward-proxy.ts';
import { OTHER_WEBHOOK_SECRET, WEBHOOK_SECRET } from '../../support/server/events.ts';
import { startTurnClock } from '../../support/time/turn-clock.ts';

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

function start(url: string, makeAgent?: MakeAgent): { stop(): Promise<void> } {
  const sink = new Writable({
    write(line, _encoding, done) {
      logged += String(line);
      noteLogged();
      done();
    },
  });
  const secrets = [WEBHOOK_SECRET, OTHER_WEBHOOK_SECRET].map((secret) => new Secret(secret));
  const deps = { outbox: store.outbox, now: Date.now, log: pino({ level: 'trace' }, sink), tell: () => {} };
  const telling = startTelling(deps, { url: new Secret(url), secrets, ...(makeAgent && { makeAgent }) });
  onTestFinished(() => telling.stop());
  return telling;
}

it('old events are forgotten at the start only by a clock that is believed', async () => {
  await insertInStatus(store, 'expired');
  const deps = { outbox: store.outbox, now: () => Date.now() + 365 * 86_400_000, log: pino({ level: 'silent' }), tell: () => {} };
  const left = async () => (await store.outbox.list({ limit: 10 })).length;
  await startTelling({ ...deps, mayForget: () => false }, undefined).stop();
  expect(await left()).toBe(2);
  const telling = startTelling({ ...deps, mayForget: () => true }, undefined);
  await expect.poll(left).toBe(0);
  await telling.stop();
});

describe('a server with a webhook', () => {
  it('tells it of a session in order, signed', async () => {
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
    const telling = start(receiver.url);
    await receiver.until(({ length }) => length === 1);
    const elapsedMs = startTurnClock();

    await telling.stop();

    expect(elapsedMs()).toBeLessThan(1_000);
    const [event] = await store.outbox.ofSession(sessionId);
    expect(event?.status).toBe('pending');
    expect(event?.nextAttemptAt).toBeLessThanOrEqual(Date.now());
  });

  /** The one line that tells that the webhook does not take events. */
  async function whyNotTaken(url: string, makeAgent?: MakeAgent): Promise<string> {
    await insertSession(store, { createdAt: Date.now() });
    start(url, makeAgent);
    const isTold = () => logged.split('\n').find((line) => line.includes('does not take events'));
    while (isTold() === undefined) await new Promise<void>((resolve) => (noteLogged = resolve));
    expect(logged).not.toContain('not foreseen');
    return String((JSON.parse(isTold() ?? '{}') as { error?: string }).error);
  }

  it('goes through the proxy of the environment, and says in words that the proxy refused', async () => {
    const proxy = await startForwardProxy({ refuseWith: 407 });
    onTestFinished(() => proxy.close());
    const { settings } = parseProxies({ HTTPS_PROXY: proxy.url.replace('http://', 'http://ann:pass-of-ann@') });
    const error = await whyNotTaken('https://hooks.test/secret-path', agentsThrough(settings));
    expect(proxy.asked[0]).toBe('CONNECT hooks.test:443');
    expect(error).toContain(`the proxy ${proxy.url} answered HTTP 407`);
    expect(logged).not.toMatch(/pass-of-ann|secret-path/);
  });

  it('says in words that it does not trust the certificate of the webhook, and what to set', async () => {
    const { cert, key } = makeCertificate('a webhook');
    const server = createServer({ cert, key });
    server.on('tlsClientError', () => {});
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void server.close());
    const error = await whyNotTaken(`https://127.0.0.1:${(server.address() as { port: number }).port}/`);
    expect(error).toContain('it is signed by itself (DEPTH_ZERO_SELF_SIGNED_CERT)');
    expect(error).toContain('NODE_EXTRA_CA_CERTS');
  });

  it('logs and keeps nothing secret when it fails', async () => {
    await insertInStatus(store, 'completed');
    receiver.respond = answersWith(500, { 'set-cookie': 'cookie-of-the-receiver' });
    const url = `${receiver.url.replace('http://', 'http://ann:pass-of-ann@')}/hooks/secret-path?key=secret-query`;
    const telling = start(url);
    await new Promise<void>((resolve) => {
      noteLogged = resolve;
    });
    await telling.stop();

    expect(logged).toContain('the webhook does not take events');
    const kept = JSON.stringify(await store.outbox.list({ limit: 10 }));
    const signature = String(receiver.received[0]?.headers['webhook-signature']);
    expect(signature).toMatch(/^v1,\S+ v1,\S+$/);
    const secrets = ['pass-of-ann', 'secret-path', 'secret-query', 'cookie-of', WEBHOOK_SECRET.slice(6), ...signature.split(' ')];
    for (const secret of secrets) expect((logged + kept).includes(secret), `${secret} is there`).toBe(false);
  });
});
