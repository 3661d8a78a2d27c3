import { EventEmitter } from 'node:events';
import { request, type Server } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BODY_BYTES_PER_PART, MAX_PLAIN_BODY_BYTES, MAX_SMALL_BODY_BYTES } from '../../../src/contract/paths.ts';
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from '../../../src/contract/problems.ts';
import { listen } from '../../../src/server/http/listen.ts';
import { parseNetworks } from '../../../src/server/limits/client-address.ts';
import { HTTP_LIMITS, limitConnections } from '../../../src/server/limits/connection-limits.ts';
import type { ServiceErrorCode } from '../../../src/session/errors.ts';
import { type RawAnswer, RawConnection } from '../../support/network/raw-connection.ts';
import { ADMIN_TOKEN } from '../../support/server/control-plane.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';
import { startTurnClock } from '../../support/time/turn-clock.ts';

const KiB = 1_024;
/** Limits of the tests, shorter than the real ones. */
const SHORT = { headersTimeoutMs: 300, requestTimeoutMs: 700, checkEveryMs: 50 };
const SHORT_FOR_HEADERS = { ...SHORT, requestTimeoutMs: 3_600_000 };
const SOON_MS = 3_000;
const HEAD = `POST /api/uploads HTTP/1.1\r\nhost: partway\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\ncontent-type: application/json\r\n`;

function expectProblem({ status, headers, body }: RawAnswer, code: ServiceErrorCode): void {
  expect(JSON.parse(body)).toMatchObject({ code, status: PROBLEMS[code].status, instance: expect.any(String) });
  expect(status).toBe(PROBLEMS[code].status);
  expect(headers).toMatchObject({
    'content-type': PROBLEM_MEDIA_TYPE,
    'content-length': String(body.length),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  expect(headers).not.toHaveProperty('server');
}

async function isServed(url: string): Promise<boolean> {
  return (await fetch(`${url}/healthz`)).ok;
}

describe('the limits of HTTP', () => {
  it('are those that the problem pages name', () => {
    expect(PROBLEMS.HEADERS_TOO_LARGE.explanation).toContain(`${HTTP_LIMITS.maxHeaderSize / KiB} KiB`);
    expect(PROBLEMS.REQUEST_TIMEOUT.explanation).toContain(`${HTTP_LIMITS.headersTimeoutMs / 1_000} seconds`);
    expect(PROBLEMS.REQUEST_TIMEOUT.explanation).toContain(`${HTTP_LIMITS.requestTimeoutMs / 60_000} minutes`);
    expect(PROBLEMS.BODY_TOO_LARGE.explanation).toContain(`${BODY_BYTES_PER_PART} bytes more for each part`);
    expect(PROBLEMS.BODY_TOO_LARGE.explanation).toContain(`${MAX_SMALL_BODY_BYTES / KiB} KiB`);
    expect(PROBLEMS.BODY_TOO_LARGE.explanation).toContain(`${MAX_PLAIN_BODY_BYTES / KiB} KiB`);
  });
});

describe('a request that arrives too slowly', () => {
  it.each([
    ['a byte of the headers now and then', SHORT_FOR_HEADERS, 'GET /healthz HTTP/1.1\r\nhost: partway\r\nx-slow: ', 'a'],
    ['nothing after the first line', SHORT_FOR_HEADERS, 'GET /healthz HTTP/1.1\r\n', ''],
    ['nothing at all', SHORT_FOR_HEADERS, '', ''],
    ['a body that stops', SHORT, `${HEAD}content-length: 100\r\n\r\n{"fileName`, ''],
    ['a byte of the body now and then', SHORT, `${HEAD}content-length: 60000\r\n\r\n`, ' '],
    ['a chunk of the body now and then', SHORT, `${HEAD}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'],
  ])('is answered 408 and its connection closed, while others are served: %s', async (_, limits, start, more) => {
    const bench = new EdgeBench();
    const { url } = await bench.listen(limits);
    const elapsedMs = startTurnClock();
    const slow = await RawConnection.to(url);
    slow.send(start);
    if (more !== '') slow.drip(more, 20);
    expect(await isServed(url)).toBe(true);
    const answer = await slow.answer();
    expectProblem(answer, 'REQUEST_TIMEOUT');
    expect(answer.headers.connection).toBe('close');
    expect(elapsedMs()).toBeLessThan(SOON_MS);
    expect(await isServed(url)).toBe(true);
  });

  it('does not slow down others, even if there are hundreds', async () => {
    const bench = new EdgeBench();
    const { url } = await bench.listen({ ...SHORT, headersTimeoutMs: 1_500, requestTimeoutMs: 1_500 });
    const slow = await Promise.all(Array.from({ length: 200 }, () => RawConnection.to(url)));
    for (const connection of slow) connection.send('GET /healthz HTTP/1.1\r\nx-slow: ');
    const served = await Promise.all(Array.from({ length: 20 }, () => isServed(url)));
    expect(served).not.toContain(false);
    const answers = await Promise.all(slow.map((connection) => connection.answer()));
    for (const answer of answers) expectProblem(answer, 'REQUEST_TIMEOUT');
  });

  it.each([
    ['with its length', 'content-length: 100\r\n\r\n{"fileName": "swordfish'],
    ['in chunks', 'transfer-encoding: chunked\r\n\r\n9\r\nswordfish\r\n'],
  ])('is logged without an error and without anything that was sent: %s', async (_, body) => {
    const bench = new EdgeBench();
    const { url } = await bench.listen(SHORT);
    const slow = await RawConnection.to(url);
    slow.send(HEAD + body);
    await slow.answer();
    await expect.poll(() => bench.logged.filter(({ message }) => message === 'request')).toHaveLength(1);
    expect(bench.logged.filter(({ level }) => level === 'error')).toEqual([]);
    expect(bench.logged).toContainEqual({
      level: 'info',
      message: 'request refused before it was whole',
      fields: { code: 'REQUEST_TIMEOUT', status: 408, requestId: expect.any(String), address: '127.0.0.1' },
    });
    expect(JSON.stringify(bench.logged)).not.toMatch(/swordfish|Bearer/);
  });

  it('is not a live stream, which lasts as long as its upload', async () => {
    const bench = new EdgeBench();
    const { url } = await bench.listen(SHORT);
    const { sessionId } = await bench.openTinySession();
    const response = await fetch(`${url}/api/uploads/${sessionId}/progress`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, accept: 'text/event-stream' },
    });
    const reader = response.body?.getReader();
    const read = async () => new TextDecoder().decode((await reader?.read())?.value);
    expect(await read()).toContain('"status":"open"');
    const slow = await RawConnection.to(url);
    slow.send(`${HEAD}content-length: 100\r\n\r\n`);
    // It began later than the stream, and its time is over.
    expectProblem(await slow.answer(), 'REQUEST_TIMEOUT');
    await bench.send('DELETE', `/api/uploads/${sessionId}`, { authorization: `Bearer ${ADMIN_TOKEN}` });
    expect(await read()).toContain('"status":"aborted"');
    await reader?.cancel();
  });
});

describe('headers', () => {
  const withHeader = (bytes: number) => `GET /healthz HTTP/1.1\r\nhost: partway\r\nx-large: ${'a'.repeat(bytes)}\r\n\r\n`;

  it('of less than 16 KiB are read', async () => {
    const { url } = await new EdgeBench().listen();
    const connection = await RawConnection.to(url);
    connection.send(withHeader(15 * KiB).replace('host', 'connection: close\r\nhost'));
    expect((await connection.answer()).status).toBe(200);
  });

  it.each([
    ['one large header', withHeader(17 * KiB)],
    ['many headers', `GET / HTTP/1.1\r\nhost: partway\r\n${'abcdefgh: b\r\n'.repeat(4_000)}\r\n`],
    ['a long path', `GET /${'a'.repeat(17 * KiB)} HTTP/1.1\r\nhost: partway\r\n\r\n`],
    ['headers without an end', `GET / HTTP/1.1\r\nx-large: ${'a'.repeat(1_000 * KiB)}`],
  ])('that are larger are answered 431 and the connection closed: %s', async (_, text) => {
    const { url } = await new EdgeBench().listen();
    const connection = await RawConnection.to(url);
    connection.send(text);
    expectProblem(await connection.answer(), 'HEADERS_TOO_LARGE');
    expect(await isServed(url)).toBe(true);
  });
});

describe('a body that is too large', () => {
  it.each([
    ['with its length', `content-length: ${KiB ** 3}\r\n\r\n`, ' '.repeat(64 * KiB)],
    ['without its length', 'transfer-encoding: chunked\r\n\r\n', `10000\r\n${' '.repeat(64 * KiB)}\r\n`],
  ])('is answered 413 before it has arrived whole, and its connection closed: %s', async (_, head, piece) => {
    const { url } = await new EdgeBench().listen();
    const connection = await RawConnection.to(url);
    connection.send(`${HEAD}${head}`);
    connection.drip(piece, 10);
    expectProblem(await connection.answer(), 'BODY_TOO_LARGE');
    expect(await isServed(url)).toBe(true);
  });
});

describe('a client that is still sending when the answer closes its connection', () => {
  it('still gets the answer', async () => {
    const { url } = await new EdgeBench().listen();
    for (let attempt = 0; attempt < 10; attempt++) {
      const connection = await RawConnection.to(url);
      connection.send(`${HEAD}connection: close\r\ncontent-length: ${KiB ** 3}\r\n\r\n`);
      connection.drip(' '.repeat(KiB ** 2), 1);
      expectProblem(await connection.answer(), 'BODY_TOO_LARGE');
    }
  });

  it('is not kept if it has sent everything: its connection is closed at once', async () => {
    const { url } = await new EdgeBench().listen();
    const connection = await RawConnection.to(url);
    connection.send('GET /healthz HTTP/1.1\r\nhost: partway\r\nconnection: close\r\n\r\n');
    const elapsedMs = startTurnClock();
    expect((await connection.answer()).status).toBe(200);
    expect(elapsedMs()).toBeLessThan(400);
  });
});

describe('a client that goes away while it sends its body', () => {
  it.each([
    ['with its length', 'content-length: 100\r\n\r\n{"fileName": "a'],
    ['in chunks', 'transfer-encoding: chunked\r\n\r\n9\r\n{"fileNam\r\n'],
  ])('is not logged as an error: %s', async (_, body) => {
    const bench = new EdgeBench();
    const { url } = await bench.listen();
    const connection = await RawConnection.to(url);
    connection.send(HEAD + body);
    await isServed(url);
    connection.goAway();
    const ended = () => bench.logged.filter(({ fields }) => 'path' in fields && fields.path === '/api/uploads');
    await expect.poll(ended).toHaveLength(1);
    expect(bench.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('bytes that are not HTTP', () => {
  it.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['an unknown method', 'FETCH / HTTP/1.1\r\nhost: partway\r\n\r\n'],
    ['a header with a line feed alone in its name', 'GET / HTTP/1.1\r\nho\nst: partway\r\n\r\n'],
    ['two lengths', `${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\n12`],
    ['a length and chunks, as request smuggling does', `${HEAD}content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a chunk of no length', `${HEAD}transfer-encoding: chunked\r\n\r\nxyz\r\n`],
    ['no host', 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n'],
    ['a host that is none', 'GET /healthz HTTP/1.1\r\nhost: a/b\r\nconnection: close\r\n\r\n'],
    ['a backslash in the path', 'GET /\\healthz HTTP/1.1\r\nhost: partway\r\nconnection: close\r\n\r\n'],
  ])('is answered 400 and the connection closed: %s', async (_, text) => {
    const bench = new EdgeBench();
    const { url } = await bench.listen();
    const connection = await RawConnection.to(url);
    connection.send(text);
    expectProblem(await connection.answer(), 'INVALID_REQUEST');
    expect(bench.logged.filter(({ level }) => level === 'error')).toEqual([]);
    expect(await isServed(url)).toBe(true);
  });

  it('get no answer that could be taken for that of an earlier request', async () => {
    const bench = new EdgeBench();
    const { url } = await bench.listen();
    const { sessionId } = await bench.openTinySession();
    const connection = await RawConnection.to(url);
    // A live stream: its answer is on its way when the rest comes.
    connection.send(
      `GET /api/uploads/${sessionId}/progress HTTP/1.1\r\nhost: partway\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\naccept: text/event-stream\r\n\r\n` +
        'NONSENSE\r\n\r\n',
    );
    expect(await connection.untilClosed()).not.toContain('INVALID_REQUEST');
  });

  it('are not an unknown expectation, which is ignored', async () => {
    const { url } = await new EdgeBench().listen();
    const connection = await RawConnection.to(url);
    connection.send('GET /healthz HTTP/1.1\r\nhost: partway\r\nexpect: a-miracle\r\nconnection: close\r\n\r\n');
    expect((await connection.answer()).status).toBe(200);
  });
});

describe('connections', () => {
  it('of one address are limited; more are closed, and one that ends makes room', async () => {
    const { url } = await new EdgeBench().listen({ maxConnectionsPerAddress: 2 });
    const first = await RawConnection.to(url);
    await RawConnection.to(url);
    expect(await (await RawConnection.to(url)).untilClosed()).toBe('');
    first.send('GET /healthz HTTP/1.1\r\nhost: partway\r\nconnection: close\r\n\r\n');
    expect((await first.answer()).status).toBe(200);
    const ask = async () => {
      const next = await RawConnection.to(url);
      next.send('GET /healthz HTTP/1.1\r\nhost: partway\r\nconnection: close\r\n\r\n');
      return (await next.answer()).status;
    };
    // The server learns a moment later than the client that a connection is over.
    await expect.poll(ask).toBe(200);
  });

  it('of a trusted proxy are not limited by its address', async () => {
    const { url } = await new EdgeBench().listen({ maxConnectionsPerAddress: 1 }, parseNetworks('loopback'));
    const connections = await Promise.all([RawConnection.to(url), RawConnection.to(url), RawConnection.to(url)]);
    for (const connection of connections) {
      connection.send('GET /healthz HTTP/1.1\r\nhost: partway\r\nconnection: close\r\n\r\n');
      expect((await connection.answer()).status).toBe(200);
    }
  });

  it('are limited in all, those of proxies included', async () => {
    const { url } = await new EdgeBench().listen({ maxConnections: 1 }, parseNetworks('loopback'));
    await RawConnection.to(url);
    expect(await (await RawConnection.to(url)).untilClosed()).toBe('');
  });

  it('of IPv6 are counted by the networks that sites are given, not by the subnets that each of them has thousands of', () => {
    const server = new EventEmitter();
    limitConnections(server as Server, { ...HTTP_LIMITS, maxConnectionsPerAddress: 3 }, () => false);
    const open = (remoteAddress: string) => {
      const socket = Object.assign(new EventEmitter(), { remoteAddress, destroyed: false });
      server.emit('connection', Object.assign(socket, { destroy: () => Object.assign(socket, { destroyed: true }) }));
      return socket;
    };
    const areOpen = (...addresses: string[]) => addresses.map((address) => !open(address).destroyed);

    const first = open('2001:db8:1:100::1');
    // One /56, four /64.
    expect(areOpen('2001:db8:1:101::1', '2001:db8:1:1ff::1', '2001:db8:1:102::1')).toEqual([true, true, false]);
    // The same /48: twice as many, in whatever /56.
    expect(areOpen('2001:db8:1:200::1', '2001:db8:1:300::1', '2001:db8:1:400::1')).toEqual([true, true, true]);
    expect(areOpen('2001:db8:1:500::1')).toEqual([false]);
    expect(areOpen('2001:db8:2:100::1', '192.0.2.1', '192.0.2.1', '::ffff:192.0.2.1')).toEqual([true, true, true, true]);
    expect(areOpen('192.0.2.1', '192.0.2.2')).toEqual([false, true]);
    first.emit('close');
    expect(areOpen('2001:db8:1:500::1', '2001:db8:1:500::1')).toEqual([true, false]);
  });

  it('are kept for the next request', async () => {
    const { url } = await new EdgeBench().listen();
    const keepAlive = await new Promise((resolve, reject) => {
      const outgoing = request(`${url}/healthz`, { headers: { connection: 'keep-alive' } }, (answer) => {
        resolve(answer.headers['keep-alive']);
        answer.resume();
      });
      outgoing.on('error', reject).end();
    });
    expect(keepAlive).toBe('timeout=65');
  });
});

describe('pipelined requests', () => {
  it('are not all started at once: a connection has one answer made at a time', async () => {
    let begun = 0;
    let answerAll = () => {};
    const answered = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    const slow = async () => {
      begun += 1;
      await answered;
      return new Response('x');
    };
    const listening = await listen(slow, { host: '127.0.0.1', port: 0, trustedProxies: [], log: new EdgeBench().deps.log });
    onTestFinished(() => listening.close());
    onTestFinished(answerAll);
    const client = await RawConnection.to(listening.url);
    client.send('GET /openapi.json HTTP/1.1\r\nhost: partway\r\n\r\n'.repeat(200));
    await expect.poll(() => begun).toBeGreaterThan(0);
    expect(begun).toBeLessThan(10);
  });

  it('lose their connection, and the log says so once', async () => {
    const bench = new EdgeBench();
    const { url } = await bench.listen();
    const { sessionId } = await bench.openTinySession();
    const stream = `GET /api/uploads/${sessionId}/progress HTTP/1.1\r\nhost: partway\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\naccept: text/event-stream\r\n\r\n`;
    const client = await RawConnection.to(url);
    client.send(stream + 'GET /healthz HTTP/1.1\r\nhost: partway\r\n\r\n'.repeat(50));
    await client.untilClosed();
    const isOfConnection = ({ message }: { message: string }) => message.startsWith('connection closed');
    expect(bench.logged.filter(isOfConnection)).toMatchObject([{ level: 'info', fields: { address: '127.0.0.1' } }]);
    expect(bench.logged.filter(({ fields }) => 'path' in fields && fields.path === '/healthz')).toEqual([]);
    expect(await isServed(url)).toBe(true);
  });

  it('are not those that wait for their answers: one connection serves them all', async () => {
    const { url } = await new EdgeBench().listen();
    const client = await RawConnection.to(url);
    for (let request = 1; request <= 5; request++) {
      client.send('GET /openapi.json HTTP/1.1\r\nhost: partway\r\n\r\n');
      await expect.poll(() => client.received.split('"openapi":"3.1.0"').length - 1).toBe(request);
    }
  });
});
