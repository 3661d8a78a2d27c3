import { Writable } from 'node:stream';
import { createServer } from 'node:tls';
import { pino } from 'pino';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { MakeAgent } from '../../../src/outbound/direct-agent.ts';
import { agentsThrough } from '../../../src/outbound/proxy-agents.ts';
import { parseProxies } from '../../../src/outbound/proxy-settings.ts';
import { Secret } from '../../../src/server/core/secret.ts';
import { startWebhooks } from '../../../src/server/webhooks/start.ts';
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
  const deps = { outbox: store.outbox, now: Date.now, log: pino({ level: 'trace' }, sink), onAttempt: () => {} };
  const webhooks = startWebhooks(deps, { url: new Secret(url), secrets, ...(makeAgent && { makeAgent }) });
  onTestFinished(() => webhooks.stop());
  return webhooks;
}

it('old events are deleted at the start only by a trusted clock', async () => {
  await insertInStatus(store, 'expired');
  const deps = {
    outbox: store.outbox,
    now: () => Date.now() + 365 * 86_400_000,
    log: pino({ level: 'silent' }),
    onAttempt: () => {},
  };
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
    const elapsedMs = startTurnClock();

    await webhooks.stop();

    expect(elapsedMs()).toBeLessThan(1_000);
    const [event] = await store.outbox.ofSession(sessionId);
    expect(event?.status).toBe('pending');
    expect(event?.nextAttemptAt).toBeLessThanOrEqual(Date.now());
  });

  /** Returns the error of the one log line that says that the webhook does not accept events. */
  async function whyNotAccepted(url: string, makeAgent?: MakeAgent): Promise<string> {
    await insertSession(store, { createdAt: Date.now() });
    start(url, makeAgent);
    const findLine = () => logged.split('\n').find((line) => line.includes('does not accept events'));
    while (findLine() === undefined) await new Promise<void>((resolve) => (noteLogged = resolve));
    expect(logged).not.toContain('unexpected error');
    return String((JSON.parse(findLine() ?? '{}') as { error?: string }).error);
  }

  it('goes through the proxy of the environment, and says in words that the proxy refused', async () => {
    const proxy = await startForwardProxy({ refuseWith: 407 });
    onTestFinished(() => proxy.close());
    const { settings } = parseProxies({ HTTPS_PROXY: proxy.url.replace('http://', 'http://ann:pass-of-ann@') });
    const error = await whyNotAccepted('https://hooks.test/secret-path', agentsThrough(settings));
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
    const error = await whyNotAccepted(`https://127.0.0.1:${(server.address() as { port: number }).port}/`);
    expect(error).toContain('it is signed by itself (DEPTH_ZERO_SELF_SIGNED_CERT)');
    expect(error).toContain('NODE_EXTRA_CA_CERTS');
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
