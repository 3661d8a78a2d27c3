import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { createConnections } from '../../src/client/network/connections.ts';
import { probeUrl } from '../../src/client/network/probes.ts';
import { askToSend, putNothing } from '../../src/client/part/part-questions.ts';
import { ConnectionFailure } from '../../src/client/part/put-part.ts';
import { ObjectStoreError } from '../../src/object-store/port.ts';
import { createS3ObjectStore } from '../../src/object-store/s3.ts';
import type { MakeAgent } from '../../src/outbound/direct-agent.ts';
import { agentsThrough } from '../../src/outbound/proxy-agents.ts';
import { ProxyFailure } from '../../src/outbound/proxy-failure.ts';
import { parseProxies } from '../../src/outbound/proxy-settings.ts';
import { makeCertificate } from '../support/network/certificates.ts';
import { type ForwardProxy, type ForwardProxyOptions, startForwardProxy } from '../support/proxies/forward-proxy.ts';

const certificate = makeCertificate('target', ['target.test']);
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe.each(['http', 'https'] as const)('through a proxy, %s', (protocol) => {
  it('a request arrives with its body, and the answer comes back', async () => {
    const { proxy, url, makeAgent } = await setUp(protocol);
    const answer = await send(`${url}/path?query=1`, makeAgent, { body: 'the body' });
    expect(answer).toEqual({ status: 200, text: `PUT /path?query=1 ${new URL(url).host} the body` });
    const { host } = new URL(url);
    expect(proxy.asked).toEqual([protocol === 'http' ? `PUT http://${host}/path` : `CONNECT ${host}`]);
  });

  it('one connection serves successive requests, until connections are renewed', async () => {
    const { proxy, url, makeAgent } = await setUp(protocol);
    const connections = createConnections(makeAgent);
    closing.push(connections.close);
    const one = () => send(url, connections.agentFor);
    await one();
    await one();
    expect(proxy.connections).toBe(1);
    connections.renew();
    await one();
    expect(proxy.connections).toBe(2);
  });

  it('user name and password go only to the proxy, and agents do not show them', async () => {
    const { proxy, url, makeAgent, headersSeen } = await setUp(protocol, {}, 'ann:secret@');
    await send(url, makeAgent);
    expect(proxy.authorizations).toEqual([`Basic ${Buffer.from('ann:secret').toString('base64')}`]);
    expect(headersSeen[0]).not.toHaveProperty('proxy-authorization');
    expect(inspect(makeAgent(url, { keepAlive: true }), { depth: 9, showHidden: true })).not.toMatch(/secret|Basic/);
  });

  it('the question of Expect: 100-continue is passed on, and answered before the body is sent', async () => {
    const { proxy, url, makeAgent } = await setUp(protocol);
    expect(await askToSend(aPart(url), new AbortController().signal, makeAgent)).toBeUndefined();
    const { host } = new URL(url);
    expect(proxy.asked).toEqual([protocol === 'http' ? `PUT http://${host}/` : `CONNECT ${host}`]);
  });

  it('an abort ends a request that the proxy never answers', async () => {
    const { proxy, url, makeAgent } = await setUp(protocol, { isSilent: true });
    const controller = new AbortController();
    const sending = send(url, makeAgent, { signal: controller.signal });
    await expect.poll(() => proxy.asked.length).toBe(1);
    controller.abort();
    await expect(sending).rejects.toMatchObject({ code: expect.stringMatching(/ABORT_ERR|ECONNRESET/) });
    await expect.poll(() => proxy.open).toBe(0);
  });

  it('the time limit of a probe ends it if the proxy does not answer', async () => {
    const { url, makeAgent } = await setUp(protocol, { isSilent: true });
    await expect(probeUrl(url, { timeoutMs: 100, makeAgent })).rejects.toThrow('no answer in time');
  });

  it('a missing proxy is a connection error', async () => {
    const { proxy, url, makeAgent } = await setUp(protocol);
    await proxy.close();
    const failed = putNothing(aPart(url), new AbortController().signal, makeAgent);
    await expect(failed).rejects.toBeInstanceOf(ConnectionFailure);
    await expect(failed).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe('a tunnel', () => {
  it.each([
    [407, 'wants a name and a password'],
    [403, 'does not let connections to this host and port through'],
    [502, 'answered HTTP 502'],
  ])('that is refused with %i is reported as an answer of the proxy', async (refuseWith, words) => {
    const { proxy, url, makeAgent } = await setUp('https', { refuseWith }, 'ann:secret@');
    const failed = send(url, makeAgent);
    await expect(failed).rejects.toBeInstanceOf(ProxyFailure);
    await expect(failed).rejects.toThrow(`the proxy ${proxy.url} answered HTTP ${refuseWith}`);
    await expect(failed).rejects.toThrow(words);
    expect(inspect(await failed.catch((error) => error), { depth: 9 })).not.toContain('secret');
  });

  it('leads to a host whose certificate is checked against its own name', async () => {
    const { url, makeAgent } = await setUp('https');
    const other = url.replace('target.test', 'other.test');
    await expect(send(other, makeAgent)).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('that opens after connections were renewed is used once and not kept', async () => {
    const { proxy, url, makeAgent } = await setUp('https');
    const connections = createConnections(makeAgent);
    const sending = send(url, connections.agentFor);
    connections.renew();
    connections.close();
    expect((await sending).status).toBe(200);
    await expect.poll(() => proxy.open).toBe(0);
  });
});

it('the connection to an HTTPS proxy uses TLS, and its certificate is checked', async () => {
  const { url, makeAgent } = await setUp('http', { tls: makeCertificate('a proxy') });
  await expect(send(url, makeAgent)).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
});

it.each([
  ['http', /a proxy in front of the object store wants a name and a password/],
  ['https', /the proxy .* answered HTTP 407: it wants a name and a password/],
] as const)("the server's own calls to the store over %s report a refusal by the proxy as such", async (protocol, words) => {
  const { url, makeAgent } = await setUp(protocol, { refuseWith: 407 });
  const account = { region: 'us-east-1', accessKeyId: 'an-id', secretAccessKey: 'a-secret' };
  const store = createS3ObjectStore({ ...account, endpoint: url, publicEndpoint: url, bucket: 'b', makeAgent });
  closing.push(store.close);
  const failed = store.headObject('a-key');
  await expect(failed).rejects.toBeInstanceOf(ObjectStoreError);
  await expect(failed).rejects.toThrow(words);
});

it('requests to this host do not go through a proxy', async () => {
  const { proxy, url, makeAgent } = await setUp('http');
  const { port } = new URL(url);
  for (const host of ['127.0.0.1', 'localhost']) expect((await send(`http://${host}:${port}`, makeAgent)).status).toBe(200);
  expect(proxy.connections).toBe(0);
});

async function setUp(protocol: 'http' | 'https', options: ForwardProxyOptions = {}, credentials = '') {
  const headersSeen: http.IncomingHttpHeaders[] = [];
  const answer: http.RequestListener = (request, response) => {
    headersSeen.push(request.headers);
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => response.end(`${request.method} ${request.url} ${request.headers.host} ${body}`));
  };
  const target = protocol === 'http' ? http.createServer(answer) : https.createServer(certificate, answer);
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  closing.push(() => {
    target.closeAllConnections();
    target.close();
  });
  const proxy: ForwardProxy = await startForwardProxy(options);
  closing.push(proxy.close);
  const { settings } = parseProxies({ ALL_PROXY: proxy.url.replace('://', `://${credentials}`) });
  const url = `${protocol}://target.test:${(target.address() as AddressInfo).port}`;
  return { proxy, url, makeAgent: withTrust(agentsThrough(settings)), headersSeen };
}

/** Trusts the test's own certificate, because no system certificate authority has signed it. */
function withTrust(makeAgent: MakeAgent): MakeAgent {
  return (url, options) => {
    const agent = makeAgent(url, options);
    if (agent instanceof https.Agent) agent.options.ca = certificate.cert;
    return agent;
  };
}

function aPart(url: string) {
  return { partNumber: 1, method: 'PUT', url, headers: {}, start: 0, end: 1, expiresAt: '' } as const;
}

function send(
  url: string,
  makeAgent: MakeAgent | ((url: string) => http.Agent),
  { body = '', signal }: { body?: string; signal?: AbortSignal } = {},
): Promise<{ status: number; text: string }> {
  const { request } = url.startsWith('https:') ? https : http;
  const agent = makeAgent(url, { keepAlive: false });
  return new Promise((resolve, reject) => {
    const sending = request(url, { method: 'PUT', agent, ...(signal && { signal }) }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sending.on('error', reject).end(body);
  });
}
