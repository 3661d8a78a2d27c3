import { getEventListeners } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConnectionFailure, type PartBody, type PartRequest, putPart } from '../../../src/client/part/put-part.ts';
import { collectWarnings } from '../../support/collect-warnings.ts';
import { makeCertificate } from '../../support/network/certificates.ts';
import { startDamagingRelay } from '../../support/proxies/damaging-relay.ts';
import { aClosedPort, type PartHandler, startPartServer, takePart } from '../../support/store/part-server.ts';

const MiB = 1024 ** 2;
/** More than the kernel takes for both ends of a loopback connection, so that a store that does not read is noticed. */
const MORE_THAN_BUFFERS = 64 * MiB;
const PIECE = Buffer.alloc(256 * 1024, 'partway ');
const NEVER = new AbortController().signal;

async function* pieces(bytes: number): AsyncGenerator<Uint8Array> {
  for (let left = bytes; left > 0; left -= PIECE.length) yield PIECE.subarray(0, Math.min(left, PIECE.length));
}

function bodyOf(bytes: AsyncIterable<Uint8Array>): PartBody {
  return { pieces: bytes, look: () => {}, end: () => {} };
}

function anAgent(): http.Agent {
  const agent = new http.Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  return agent;
}

function aPut(url: string, bytes: number, changes: Partial<PartRequest> = {}): PartRequest {
  return {
    url,
    headers: { 'content-length': String(bytes) },
    body: bodyOf(pieces(bytes)),
    agent: anAgent(),
    stallMs: 20_000,
    signal: NEVER,
    onBytes: () => {},
    ...changes,
  };
}

function s3Error(status: number, code: string, headers: http.OutgoingHttpHeaders = {}): PartHandler {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/xml', ...headers });
    response.end(`<Error><Code>${code}</Code><Message>it&#39;s so</Message></Error>`);
  };
}

async function failureOf(put: Promise<unknown>): Promise<unknown> {
  return put.then(
    (answer) => {
      throw new Error(`it was answered: ${JSON.stringify(answer)}`);
    },
    (error: unknown) => error,
  );
}

describe('a PUT of a part', () => {
  it('sends the bytes with their length and the signed headers, and answers the ETag as the store wrote it', async () => {
    const server = await startPartServer(takePart);
    let counted = 0;
    const answer = await putPart(
      aPut(server.url, 3 * MiB + 7, {
        headers: { 'content-length': String(3 * MiB + 7), 'x-amz-checksum-crc32': 'AAAAAA==' },
        onBytes: (count) => {
          counted += count;
        },
      }),
    );
    expect(answer).toEqual({
      status: 200,
      etag: '"0123456789abcdef0123456789abcdef"',
      code: undefined,
      message: undefined,
      retryAfterSeconds: undefined,
    });
    const [part] = server.parts;
    expect(part?.request.method).toBe('PUT');
    expect(part?.request.headers).toMatchObject({ 'content-length': String(3 * MiB + 7), 'x-amz-checksum-crc32': 'AAAAAA==' });
    expect(part?.request.headers['transfer-encoding']).toBeUndefined();
    expect(part?.request.headers.authorization).toBeUndefined();
    const expected: Uint8Array[] = [];
    for await (const piece of pieces(3 * MiB + 7)) expected.push(piece);
    expect(Buffer.concat(part?.chunks ?? []).equals(Buffer.concat(expected))).toBe(true);
    expect(counted).toBe(3 * MiB + 7);
  });

  it('of 0 bytes is a PUT of length 0', async () => {
    const server = await startPartServer(takePart);
    expect(await putPart(aPut(server.url, 0))).toMatchObject({ status: 200 });
    expect(server.parts[0]?.request.headers).toMatchObject({ 'content-length': '0' });
    expect(server.parts[0]?.request.headers['transfer-encoding']).toBeUndefined();
  });

  it('answers what the store says instead: status, code, message and how long to wait', async () => {
    const server = await startPartServer((request, response, part) => {
      request.resume().on('end', () => s3Error(429, 'TooManyRequests', { 'retry-after': '60' })(request, response, part));
    });
    expect(await putPart(aPut(server.url, MiB))).toMatchObject({
      status: 429,
      etag: undefined,
      code: 'TooManyRequests',
      message: "it's so",
      retryAfterSeconds: 60,
    });
  });

  it.each(['Wed, 21 Oct 2026 07:28:00 GMT', '-5', 'soon', ''])(
    'takes no waiting time from Retry-After %j',
    async (retryAfter) => {
      const server = await startPartServer(s3Error(503, 'SlowDown', { 'retry-after': retryAfter }));
      const { retryAfterSeconds } = await putPart(aPut(server.url, 0));
      expect([undefined, 0]).toContain(retryAfterSeconds);
    },
  );

  it('reads a refusal that comes while the body is still being sent, and sends no more of it', async () => {
    const server = await startPartServer((request, response, part) => {
      // As Go's server does: the answer first, and a little later the connection is closed on the unread body.
      response.on('finish', () => setTimeout(() => request.socket.destroy(), 100));
      s3Error(403, 'AccessDenied')(request, response, part);
    });
    let sent = 0;
    const answer = await putPart(aPut(server.url, MORE_THAN_BUFFERS, { onBytes: (count) => (sent += count) }));
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied', message: "it's so" });
    expect(sent).toBeLessThan(MORE_THAN_BUFFERS);
  });

  it('is given up for silence although the wall clock is set back meanwhile', async () => {
    const server = await startPartServer((request) => {
      request.resume().on('end', () => vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000));
    });
    onTestFinished(() => void vi.restoreAllMocks());
    const failure = await failureOf(putPart(aPut(server.url, MiB, { stallMs: 300 })));
    expect(failure).toMatchObject({ givenUp: true, bodySent: true, message: expect.stringMatching(/^nothing moved for \d s$/) });
  });

  it('gives the connection back neither after a refusal in mid-body nor the unsent rest to the next part', async () => {
    let refuse = true;
    const server = await startPartServer((request, response, part) => {
      if (refuse) s3Error(403, 'AccessDenied')(request, response, part);
      else takePart(request, response, part);
      refuse = false;
    });
    const agent = anAgent();
    expect(await putPart(aPut(server.url, MORE_THAN_BUFFERS, { agent }))).toMatchObject({ status: 403 });
    expect(await putPart(aPut(server.url, MiB, { agent }))).toMatchObject({ status: 200 });
    expect(Buffer.concat(server.parts[1]?.chunks ?? []).length).toBe(MiB);
    expect(server.connections.length).toBe(2);
    // The first connection is closed, by this end, and no agent holds it.
    expect(Object.values(agent.sockets).flat()).toEqual([]);
    server.parts[0]?.request.resume();
    await expect.poll(() => server.connections[0]?.destroyed).toBe(true);
  });

  it('is a connection failure when the connection is reset in mid-body', async () => {
    const server = await startPartServer((request) => {
      request.once('data', () => request.socket.resetAndDestroy());
    });
    const failure = await failureOf(putPart(aPut(server.url, MORE_THAN_BUFFERS)));
    expect(failure).toBeInstanceOf(ConnectionFailure);
  });

  it('is a connection failure when the whole body was taken and the connection closes without an answer', async () => {
    const server = await startPartServer((request) => {
      request.resume().on('end', () => request.socket.destroy());
    });
    expect(await failureOf(putPart(aPut(server.url, MiB)))).toBeInstanceOf(ConnectionFailure);
    expect(await server.parts[0]?.over).toEqual({ complete: true });
  });

  it('is a connection failure when nothing listens at the address', async () => {
    const failure = await failureOf(putPart(aPut(`http://127.0.0.1:${await aClosedPort()}/b/k`, MiB)));
    expect(failure).toBeInstanceOf(ConnectionFailure);
    expect((failure as Error).message).toContain('ECONNREFUSED');
  });

  it('is a connection failure when the host name is unknown', async () => {
    expect(await failureOf(putPart(aPut('http://store.invalid/b/k', MiB)))).toBeInstanceOf(ConnectionFailure);
  });

  it.each([
    'not HTTP at all\r\n\r\n',
    'HTTP/9.9 200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nbad header\r\n\r\n',
    'SSH-2.0-OpenSSH_9.9\r\n',
  ])('is a connection failure when %j comes back', async (garbage) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(garbage));
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    expect(await failureOf(putPart(aPut(`http://127.0.0.1:${port}/b/k`, 10)))).toBeInstanceOf(ConnectionFailure);
  });

  it('is a connection failure when the answer is cut in its middle', async () => {
    const server = await startPartServer((request, response) => {
      request.resume().on('end', () => {
        response.writeHead(403, { 'content-length': '1000' });
        response.write('<Error><Code>', () => request.socket.destroy());
      });
    });
    expect(await failureOf(putPart(aPut(server.url, MiB)))).toBeInstanceOf(ConnectionFailure);
  });

  it('is a connection failure when the answer is cut while the body still waits for its next piece', async () => {
    const server = await startPartServer((request, response) => {
      response.writeHead(403, { 'content-length': '1000' });
      response.write('<Error><Code>', () => request.socket.destroy());
    });
    const agent = anAgent();
    async function* waitingForTheCut() {
      yield PIECE;
      while (Object.keys(agent.sockets).length > 0) await nextTurn();
      // The connection is gone for good by now.
      await nextTurn();
      yield PIECE;
    }
    const failure = await failureOf(
      putPart(aPut(server.url, 2 * PIECE.length, { agent, body: bodyOf(waitingForTheCut()), stallMs: 1_000 })),
    );
    expect(failure).toBeInstanceOf(ConnectionFailure);
  });

  it('is a connection failure when the store stops reading, and only as much of the body was read as the buffers hold', async () => {
    const server = await startPartServer((request) => void request.pause());
    let read = 0;
    async function* counted() {
      for await (const piece of pieces(16 * MORE_THAN_BUFFERS)) {
        read += piece.length;
        yield piece;
      }
    }
    const failure = await failureOf(putPart(aPut(server.url, 16 * MORE_THAN_BUFFERS, { body: bodyOf(counted()), stallMs: 300 })));
    expect(failure).toBeInstanceOf(ConnectionFailure);
    expect((failure as Error).message).toMatch(/nothing moved/);
    expect(read).toBeLessThan(MORE_THAN_BUFFERS);
    server.parts[0]?.request.resume();
    expect(await server.parts[0]?.over).toEqual({ complete: false });
  });

  it('is a connection failure when the store has everything and never answers', async () => {
    const server = await startPartServer((request) => void request.resume());
    const failure = await failureOf(putPart(aPut(server.url, MiB, { stallMs: 200 })));
    expect(failure).toBeInstanceOf(ConnectionFailure);
    expect((failure as Error).message).toMatch(/nothing moved/);
  });

  it('is not cut while it is slow but moves, however long it takes', async () => {
    const server = await startPartServer(takePart);
    const stallMs = 600;
    async function* slowly() {
      for (let piece = 0; piece < 20; piece++) {
        await delay(60);
        yield PIECE.subarray(0, 1_000);
      }
    }
    const startedAt = performance.now();
    const answer = await putPart(aPut(server.url, 20_000, { body: bodyOf(slowly()), stallMs }));
    expect(answer).toMatchObject({ status: 200 });
    expect(performance.now() - startedAt).toBeGreaterThan(stallMs);
  });

  it('ends with the reason of the signal, and the store never sees a whole body', async () => {
    const stop = new AbortController();
    const server = await startPartServer((request) => void request.resume());
    const reason = new Error('enough');
    async function* untilStopped() {
      yield PIECE;
      stop.abort(reason);
      yield* pieces(MiB - PIECE.length);
    }
    expect(await failureOf(putPart(aPut(server.url, MiB, { body: bodyOf(untilStopped()), signal: stop.signal })))).toBe(reason);
    // It may not even have arrived; if it did, it was cut.
    for (const part of server.parts) expect(await part.over).toEqual({ complete: false });
  });

  it('ends with the reason of the signal also while the store does not read', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const server = await startPartServer((request) => {
      request.pause();
      setImmediate(() => stop.abort(reason));
    });
    expect(await failureOf(putPart(aPut(server.url, MORE_THAN_BUFFERS, { signal: stop.signal })))).toBe(reason);
    server.parts[0]?.request.resume();
    expect(await server.parts[0]?.over).toEqual({ complete: false });
  });

  it('is not begun with a signal that has aborted', async () => {
    const server = await startPartServer(takePart);
    const reason = new Error('before it began');
    expect(await failureOf(putPart(aPut(server.url, MiB, { signal: AbortSignal.abort(reason) })))).toBe(reason);
    expect(server.connections).toEqual([]);
  });

  it('is cut by a body that cannot deliver, and what the body threw comes out', async () => {
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const server = await startPartServer((request, response, part) => {
      arrive();
      takePart(request, response, part);
    });
    const shrunk = new Error('the file shrank');
    async function* broken() {
      yield PIECE;
      await arrived;
      throw shrunk;
    }
    const agent = anAgent();
    expect(await failureOf(putPart(aPut(server.url, MiB, { body: bodyOf(broken()), agent })))).toBe(shrunk);
    expect(await server.parts[0]?.over).toEqual({ complete: false });
    // And its connection is not used for the next one.
    expect(await putPart(aPut(server.url, MiB, { agent }))).toMatchObject({ status: 200 });
    expect(Buffer.concat(server.parts.at(-1)?.chunks ?? []).length).toBe(MiB);
  });

  it('is cut when the body ends before its length, so that the next part is not read as the rest of it', async () => {
    const server = await startPartServer(takePart);
    const agent = anAgent();
    const failure = await failureOf(putPart(aPut(server.url, MiB, { body: bodyOf(pieces(1_000)), agent, stallMs: 200 })));
    expect(failure).toBeInstanceOf(ConnectionFailure);
    expect(await server.parts[0]?.over).toEqual({ complete: false });
    expect(await putPart(aPut(server.url, MiB, { agent }))).toMatchObject({ status: 200 });
    expect(server.connections.length).toBe(2);
  });

  it('uses the connection of the part before', async () => {
    const server = await startPartServer(takePart);
    const agent = anAgent();
    for (let part = 0; part < 5; part++) await putPart(aPut(server.url, MiB, { agent }));
    expect(server.parts.length).toBe(5);
    expect(server.connections.length).toBe(1);
  });

  it('leaves nothing behind, a hundred times: no socket, no listener, no warning', async () => {
    const warnings = collectWarnings();
    const server = await startPartServer(takePart);
    const agent = anAgent();
    const { signal } = new AbortController();
    for (let part = 0; part < 100; part++) await putPart(aPut(server.url, 1_000, { agent, signal }));
    await nextTurn();
    expect(server.connections.length).toBe(1);
    expect(Object.values(agent.sockets).flat()).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(warnings).toEqual([]);
  });
});

/** A store that speaks TLS, takes parts, and has a relay before it; and an agent that trusts it. */
async function aStoreBehindRelay() {
  const { cert, key } = makeCertificate('store');
  const server = https.createServer({ cert, key }, (request, response) => {
    request.on('error', () => {});
    request.resume().on('end', () => response.writeHead(200, { etag: '"e"' }).end());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close().closeAllConnections());
  const relay = await startDamagingRelay((server.address() as AddressInfo).port);
  const agent = new https.Agent({ ca: cert });
  onTestFinished(() => agent.destroy());
  return { relay, agent, url: `https://127.0.0.1:${relay.port}/bucket/key` };
}

describe('a PUT over TLS', () => {
  it('to a store whose certificate is not trusted is a connection failure that says so', async () => {
    const { url } = await aStoreBehindRelay();
    const failure = await failureOf(putPart(aPut(url, MiB, { agent: new https.Agent() })));
    expect(failure).toBeInstanceOf(ConnectionFailure);
    expect(failure).toMatchObject({ message: 'its certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)' });
  });

  it.each(['up', 'down'] as const)('is a connection failure when a record is damaged on its way %s', async (direction) => {
    const { relay, agent, url } = await aStoreBehindRelay();
    // The handshake is over by the first byte of the body.
    const onBytes = () => relay.damage(direction);
    expect(await failureOf(putPart(aPut(url, MiB, { agent, onBytes })))).toBeInstanceOf(ConnectionFailure);
  });

  it('is a connection failure when a record of the handshake is damaged, and the next one goes well', async () => {
    const { relay, agent, url } = await aStoreBehindRelay();
    relay.damage('down');
    expect(await failureOf(putPart(aPut(url, MiB, { agent })))).toBeInstanceOf(ConnectionFailure);
    expect(relay.isDone).toBe(true);
    expect(await putPart(aPut(url, MiB, { agent }))).toMatchObject({ status: 200 });
  });

  it('is a connection failure when a sign-in page answers in clear, and says that it is no TLS', async () => {
    const { relay, agent, url } = await aStoreBehindRelay();
    relay.signInPage(1);
    const failure = await failureOf(putPart(aPut(url, MiB, { agent })));
    expect(failure).toBeInstanceOf(ConnectionFailure);
    expect((failure as Error).message).toMatch(/does not speak TLS/);
    expect(await putPart(aPut(url, MiB, { agent }))).toMatchObject({ status: 200 });
  });
});

describe('where an error was caught decides what it is:', () => {
  /** What the kernel reports for routes of kind prohibit and blackhole, and a code that does not exist yet. */
  it.each(['EACCES', 'EINVAL', 'EPERM', 'EPROTO', 'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC', 'ENEWCODE', undefined])(
    'the socket, and %s is a connection failure',
    async (code) => {
      const agent = new http.Agent();
      agent.createConnection = () => {
        const socket = new Socket();
        setImmediate(() => socket.destroy(Object.assign(new Error(`connect ${code}`), { code })));
        return socket;
      };
      expect(await failureOf(putPart(aPut('http://127.0.0.1:9/b/k', MiB, { agent })))).toBeInstanceOf(ConnectionFailure);
    },
  );

  it.each(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EIO'])(
    'the source, and %s comes out as the source threw it: no probe of the link would mend it',
    async (code) => {
      const server = await startPartServer(takePart);
      const failed = Object.assign(new Error('the network drive is gone'), { code });
      async function* broken() {
        yield PIECE;
        throw failed;
      }
      expect(await failureOf(putPart(aPut(server.url, MiB, { body: bodyOf(broken()) })))).toBe(failed);
    },
  );

  it('this program, and a TypeError comes out as it is', async () => {
    const server = await startPartServer(takePart);
    const onBytes = () => {
      throw new TypeError('count is not a function');
    };
    expect(await failureOf(putPart(aPut(server.url, MiB, { onBytes })))).toBeInstanceOf(TypeError);
    expect(await failureOf(putPart(aPut('no URL', MiB)))).toBeInstanceOf(TypeError);
  });
});
