import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createNetServer } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ControlPlane } from '../../../src/client/control-plane/control-plane.ts';
import { directAgent, type MakeAgent } from '../../../src/outbound/direct-agent.ts';
import { UnusableProxy } from '../../../src/outbound/proxy-failure.ts';
import { UploadError } from '../../../src/session/errors.ts';
import { makeCertificate } from '../../support/network/certificates.ts';
import { aTlsPort, REFUSALS } from '../../support/network/tls-port.ts';
import { aWireProgress, aWireSession } from '../../support/server/wire-sessions.ts';
import { aClosedPort } from '../../support/store/part-server.ts';

const TOKEN = 'pw_this-must-never-be-shown';

interface Answering {
  readonly controlPlane: ControlPlane;
  readonly requests: (IncomingMessage & { received?: string })[];
  readonly url: string;
}

async function answering(handler: RequestListener): Promise<Answering> {
  const requests: (IncomingMessage & { received?: string })[] = [];
  const server = createServer((request: IncomingMessage & { received?: string }, response) => {
    requests.push(request);
    request.received = '';
    request.on('data', (chunk: Buffer) => {
      request.received += chunk.toString();
    });
    request.on('end', () => handler(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { controlPlane: new ControlPlane({ server: url, token: TOKEN }), requests, url };
}

function saying(status: number, contentType: string, body: string, headers: Record<string, string> = {}): RequestListener {
  return (_, response) => void response.writeHead(status, { 'content-type': contentType, ...headers }).end(body);
}

async function errorOf(call: Promise<unknown>): Promise<UploadError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UploadError);
  return error as UploadError;
}

/** Has the fields of all answers at once. */
function anyAnswer(sessionId: string) {
  const session = aWireSession({ sessionId });
  const signing = { credentials: 'sts', expiresAt: null, canRead: false, canList: false, canDelete: false };
  return {
    ...aWireProgress(session),
    ...session,
    ...{ uploads: [session], nextCursor: null },
    ...{ parts: [], missing: [] },
    ...{ etag: '"e"', uploadedBySession: true },
    ...{ keyPrefix: '', signing },
    ...{ ready: true, checks: {} },
  };
}

describe('a call to the control plane', () => {
  it('says in each request what time it has, by which a server notices that its own clock is wrong', async () => {
    const { controlPlane, requests } = await answering(saying(200, 'application/json', '{"uploads":[],"nextCursor":null}'));
    await controlPlane.list();
    expect(requests[0]?.headers.date).toMatch(/^\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT$/);
    expect(Math.abs(Date.parse(String(requests[0]?.headers.date)) - Date.now())).toBeLessThan(60_000);
  });

  it('carries the token and JSON, and gives back what was answered', async () => {
    const session = aWireSession();
    const { controlPlane, requests } = await answering(saying(201, 'application/json', JSON.stringify(session)));
    const request = { fileName: 'ü.mp4', size: 2 ** 40 };
    expect(await controlPlane.create(request, { idempotencyKey: 'once' })).toEqual({ session, created: true });
    expect(requests[0]).toMatchObject({ method: 'POST', url: '/api/uploads' });
    expect(requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      'content-type': 'application/json',
      'idempotency-key': 'once',
    });
    expect(JSON.parse(requests[0]?.received ?? '')).toEqual(request);
  });

  it('distinguishes a session that was found from one that was created', async () => {
    const { controlPlane } = await answering(saying(200, 'application/json; charset=utf-8', JSON.stringify(aWireSession())));
    expect(await controlPlane.create({ fileName: 'a', size: 1 })).toMatchObject({ created: false });
  });

  it('goes where the API says', async () => {
    const { url, requests } = await answering((request, response) => {
      const [id] = /(?<=uploads\/)[\w-]+/.exec(request.url ?? '') ?? [];
      saying(200, 'application/json', JSON.stringify(anyAnswer(id ?? 's')))(request, response);
    });
    const controlPlane = new ControlPlane({ server: `${url}///`, token: TOKEN });
    await controlPlane.get('a-b');
    await controlPlane.list({ status: 'open', limit: 2, cursor: 'c/d' });
    await controlPlane.presign('s', { partNumbers: [1] });
    await controlPlane.parts('s');
    await controlPlane.report('s', { clientId: 'c' });
    await controlPlane.complete('s', { checksum: 'AAAAAA==' });
    await controlPlane.abort('s');
    await controlPlane.object('s');
    await controlPlane.progress('s');
    await controlPlane.store();
    await controlPlane.health();
    await controlPlane.readiness();
    expect(requests.map(({ method, url: path }) => `${method} ${path}`)).toEqual([
      'GET /api/uploads/a-b',
      'GET /api/uploads?status=open&limit=2&cursor=c%2Fd',
      'POST /api/uploads/s/parts/presign',
      'GET /api/uploads/s/parts',
      'POST /api/uploads/s/report',
      'POST /api/uploads/s/complete',
      'DELETE /api/uploads/s',
      'GET /api/uploads/s/object',
      'GET /api/uploads/s/progress',
      'GET /api/store',
      'GET /healthz',
      'GET /readyz',
    ]);
  });

  it('turns a problem into the UploadError that the server meant: code, detail, hint and facts', async () => {
    const problem = {
      type: '/problems/parts-missing',
      title: 'Parts are missing at the object store',
      status: 409,
      detail: '2 of 5 parts are not stored as planned.',
      instance: 'request-1',
      code: 'PARTS_MISSING',
      hint: 'Send them.',
      missing: [{ first: 2, last: 3 }],
      retryAfterSeconds: 7,
    };
    const { controlPlane } = await answering(saying(409, 'application/problem+json', JSON.stringify(problem)));
    const error = await errorOf(controlPlane.complete('s', {}));
    expect(error).toMatchObject({ code: 'PARTS_MISSING', detail: problem.detail, hint: 'Send them.' });
    expect(error.facts).toMatchObject({ missing: [{ first: 2, last: 3 }], retryAfterSeconds: 7, instance: 'request-1' });
  });

  it.each([
    [409, 'INVALID_REQUEST'],
    [507, 'INTERNAL'],
  ])("tells a newer server's problem as it is, and not as a server out of reach: %i is %s", async (status, code) => {
    const problem = {
      type: '/problems/quota-used-up',
      detail: 'The quota of 5 TiB is used up.',
      code: 'QUOTA_USED_UP',
      quota: 5,
    };
    const { controlPlane } = await answering(saying(status, 'application/problem+json', JSON.stringify(problem)));
    const error = await errorOf(controlPlane.create({ fileName: 'a', size: 1 }));
    expect(error).toMatchObject({ code, detail: problem.detail, facts: { serverCode: 'QUOTA_USED_UP', quota: 5 } });
    expect(error.hint).toContain('QUOTA_USED_UP');
  });

  it('asks nothing where an id cannot be one', async () => {
    const { controlPlane, requests } = await answering(saying(200, 'application/json', '{}'));
    const error = await errorOf(controlPlane.abort('..'));
    expect(error.code).toBe('SESSION_NOT_FOUND');
    expect(requests).toEqual([]);
  });

  it("knows the server's clock", async () => {
    const { controlPlane } = await answering(saying(200, 'application/json', '{}', { date: 'Mon, 23 Nov 2026 14:02:10 GMT' }));
    expect((await controlPlane.health()).date).toEqual(new Date('2026-11-23T14:02:10Z'));
  });

  it('returns readiness even where the server is not ready, with what is missing', async () => {
    const readiness = { ready: false, checks: { bucket: { ok: false, detail: 'no such bucket' } } };
    const body = JSON.stringify({ code: 'STORE_UNAVAILABLE', ...readiness });
    const { controlPlane } = await answering(saying(503, 'application/problem+json', body));
    expect(await controlPlane.readiness()).toMatchObject(readiness);
  });
});

describe('where no control plane answers', () => {
  const foreign: [string, RequestListener][] = [
    ["a proxy's 502 page", saying(502, 'text/html', '<html><body><h1>502 Bad Gateway</h1></body></html>')],
    ["another program's JSON error", saying(404, 'application/json', '{"error":"not found"}')],
    ["another program's 401", saying(401, 'application/json', '{"message":"Unauthorized"}')],
    ["another program's problem", saying(403, 'application/problem+json', '{"type":"about:blank","title":"Forbidden"}')],
    ['a problem with a code that is not ours', saying(403, 'application/problem+json', '{"code":"E_FORBIDDEN","detail":"x"}')],
    ['a problem that is no JSON', saying(500, 'application/problem+json', 'oops')],
    ['a problem that is no object', saying(500, 'application/problem+json', 'null')],
    ['a sign-in page with 200', saying(200, 'text/html', '<html>Welcome to Hotel Wi-Fi</html>')],
    ['200 and nothing', saying(200, 'application/json', '')],
    ['200 and JSON that is no object', saying(200, 'application/json', '"ok"')],
    ['200 and null', saying(200, 'application/json', 'null')],
    ['a redirect to a sign-in page', saying(302, 'text/html', '', { location: 'http://127.0.0.1:1/sign-in' })],
    [
      'a body that is cut',
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
        response.write('{"sessionId":', () => response.destroy());
      },
    ],
    ['a connection that closes without an answer', (request) => request.socket.destroy()],
  ];

  it.each(foreign)('%s is the server being out of reach', async (_, handler) => {
    const { controlPlane, url } = await answering(handler);
    const error = await errorOf(controlPlane.create({ fileName: 'a', size: 1 }));
    expect(error.code).toBe('SERVER_UNREACHABLE');
    expect(error.detail).toContain(url);
    expect(error.hint).toContain('PARTWAY_SERVER');
    expect(error.facts.reason).toEqual(expect.any(String));
  });

  it('a refused connection is the server being out of reach, and the reason says so', async () => {
    const controlPlane = new ControlPlane({ server: `http://127.0.0.1:${await aClosedPort()}`, token: TOKEN });
    expect(await errorOf(controlPlane.get('s'))).toMatchObject({
      code: 'SERVER_UNREACHABLE',
      facts: { reason: 'ECONNREFUSED' },
    });
  });

  it('an unknown host is the server being out of reach', async () => {
    const controlPlane = new ControlPlane({ server: 'http://partway.invalid', token: TOKEN });
    expect((await errorOf(controlPlane.get('s'))).code).toBe('SERVER_UNREACHABLE');
  });

  it('no answer in time is the server being out of reach', async () => {
    const { controlPlane } = await answering(() => {});
    expect(await errorOf(controlPlane.health({ timeoutMs: 100 }))).toMatchObject({
      code: 'SERVER_UNREACHABLE',
      facts: { reason: 'no answer in time' },
    });
  });

  it('half an answer and then nothing is the server being out of reach, too', async () => {
    const { controlPlane } = await answering((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"ok":');
    });
    expect((await errorOf(controlPlane.health({ timeoutMs: 200 }))).facts.reason).toBe('no answer in time');
  });

  it('a redirect is not followed: a POST would become a GET, and the token is for one server only', async () => {
    const elsewhere = await answering(saying(200, 'application/json', '{"uploads":[]}'));
    const { controlPlane } = await answering(saying(301, 'text/html', '', { location: `${elsewhere.url}/api/uploads` }));
    const error = await errorOf(controlPlane.create({ fileName: 'a', size: 1 }));
    expect(error.code).toBe('SERVER_UNREACHABLE');
    expect(elsewhere.requests).toEqual([]);
  });

  it('what the caller aborted is the reason of its signal, not an unreachable server', async () => {
    const stop = new AbortController();
    const reason = new Error('interrupted');
    const { controlPlane } = await answering(() => stop.abort(reason));
    await expect(controlPlane.get('s', stop.signal)).rejects.toBe(reason);
    await expect(controlPlane.get('s', stop.signal)).rejects.toBe(reason);
  });
});

describe('the token', () => {
  it('is in no error, whatever goes wrong', async () => {
    const closed = new ControlPlane({ server: `http://127.0.0.1:${await aClosedPort()}`, token: TOKEN });
    const { controlPlane: html } = await answering(saying(502, 'text/html', '<html></html>'));
    const { controlPlane: refusing } = await answering(
      saying(401, 'application/problem+json', '{"code":"UNAUTHORIZED","detail":"The server does not know this token."}'),
    );
    const { controlPlane: silent } = await answering(() => {});
    const errors = await Promise.all([
      errorOf(closed.get('s')),
      errorOf(html.get('s')),
      errorOf(refusing.get('s')),
      errorOf(silent.health({ timeoutMs: 50 })),
      new ControlPlane({ server: 'not a url', token: TOKEN }).get('s').catch((error: unknown) => error),
    ]);
    for (const error of errors) expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(TOKEN);
  });

  it.each(['with a\nline break', 'with a space', 'with ünïcode', 'with “quotes”', ''])(
    'that no server can have made (%j) is refused without being sent or shown',
    async (wrong) => {
      const { url, requests } = await answering(saying(200, 'application/json', '{}'));
      const error = await errorOf(new ControlPlane({ server: url, token: wrong }).get('s'));
      expect(error.code).toBe('UNAUTHORIZED');
      expect(error.hint).toContain('PARTWAY_TOKEN');
      if (wrong !== '') expect(inspect(error, { depth: 10 })).not.toContain(wrong);
      expect(requests).toEqual([]);
    },
  );

  it('is not sent where none is needed', async () => {
    const { controlPlane, requests } = await answering(saying(200, 'application/json', '{"ready":true,"checks":{}}'));
    await controlPlane.health();
    await controlPlane.readiness();
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });

  it('is not shown when the client is printed', () => {
    expect(inspect(new ControlPlane({ server: 'http://s', token: TOKEN }), { depth: 10, showHidden: true })).not.toContain(TOKEN);
    expect(JSON.stringify(new ControlPlane({ server: 'http://s', token: TOKEN }))).not.toContain(TOKEN);
  });
});

describe('a server that cannot be spoken to', () => {
  async function aTlsServer() {
    const { cert, key } = makeCertificate('server');
    const server = createTlsServer({ cert, key }, (_, response) => response.end());
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    onTestFinished(() => void server.close().closeAllConnections());
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('because of its certificate is explained, with the name of the problem and how to trust it', async () => {
    const error = await errorOf(new ControlPlane({ server: await aTlsServer(), token: TOKEN }).health());
    expect(error.code).toBe('CERTIFICATE_NOT_TRUSTED');
    expect(error.detail).toContain('it is signed by itself (DEPTH_ZERO_SELF_SIGNED_CERT)');
    expect(error.hint).toContain('NODE_EXTRA_CA_CERTS');
  });

  it('for its certificate is out of reach where it has answered before: something on the way hides it', async () => {
    const controlPlane = new ControlPlane({ server: await aTlsServer(), token: TOKEN });
    controlPlane.answered.add(controlPlane.server);
    expect(await errorOf(controlPlane.health())).toMatchObject({
      code: 'SERVER_UNREACHABLE',
      facts: { reason: 'its certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)' },
    });
  });

  it('over TLS, because it speaks plain HTTP, is explained', async () => {
    const { url } = await answering(saying(200, 'application/json', '{"status":"ok"}'));
    const controlPlane = new ControlPlane({ server: url.replace('http:', 'https:'), token: TOKEN });
    expect(await errorOf(controlPlane.health())).toMatchObject({
      code: 'SERVER_UNREACHABLE',
      facts: { reason: expect.stringContaining('does not speak TLS') },
      hint: expect.stringContaining('PARTWAY_TLS_CERT'),
    });
  });

  it.each(REFUSALS)('in plain HTTP, because it speaks TLS and %s, is explained with the address to set', async (_, refuse) => {
    const server = await aTlsPort(refuse);
    expect(await errorOf(new ControlPlane({ server, token: TOKEN }).health())).toMatchObject({
      code: 'SERVER_UNREACHABLE',
      facts: { reason: expect.stringMatching(/speaks TLS .* begins with https:/) },
      hint: expect.stringContaining(`export PARTWAY_SERVER=${server.replace('http:', 'https:')} `),
    });
  });

  it('in plain HTTP, since it closes every connection, is not said to speak TLS', async () => {
    const server = createNetServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect((await errorOf(new ControlPlane({ server: url, token: TOKEN }).health())).facts.reason).toBe('ECONNRESET');
  });

  it('is explained by its own failure where the question about TLS would need an unusable proxy', async () => {
    const server = await aTlsPort((socket) => socket.destroy());
    const makeAgent: MakeAgent = (url, options) => {
      if (url.startsWith('https:')) throw new UnusableProxy('HTTPS_PROXY must be …', 'HTTPS_PROXY', '');
      return directAgent(url, options);
    };
    const error = await errorOf(new ControlPlane({ server, token: TOKEN, makeAgent }).health());
    expect(error).toMatchObject({ code: 'SERVER_UNREACHABLE', facts: { reason: 'ECONNRESET' } });
  });

  it('because its name is unknown is explained with the name', async () => {
    const controlPlane = new ControlPlane({ server: 'http://partway.invalid', token: TOKEN });
    expect((await errorOf(controlPlane.health())).detail).toContain('the name partway.invalid is not known (ENOTFOUND)');
  });

  it('because an object store answers at its address is explained as that', async () => {
    const { controlPlane } = await answering(
      saying(403, 'application/xml', '<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>'),
    );
    const error = await errorOf(controlPlane.health());
    expect(error.detail).toContain('an object store answered there (HTTP 403)');
    expect(error.hint).toContain('Set PARTWAY_SERVER to the address of `partway serve`');
  });

  it('because the call itself is wrong is thrown as the mistake that it is', async () => {
    const controlPlane = new ControlPlane({ server: 'not a url', token: TOKEN });
    await expect(controlPlane.health()).rejects.toThrow(TypeError);
  });
});
