import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isConnectionError } from '../../src/outbound/connection-errors.ts';
import { directAgent } from '../../src/outbound/direct-agent.ts';
import { exchangeText, type TextExchange } from '../../src/outbound/http-exchange.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stops.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function post(url: string, options: Partial<TextExchange> = {}) {
  return exchangeText(url, { method: 'POST', agent: directAgent(url, { keepAlive: false }), maxBytes: 100, ...options });
}

describe('an exchange of texts', () => {
  it('sends the body with its length in bytes, and resolves to status, headers and text', async () => {
    const url = await serve((request, response) => {
      let body = '';
      request.on('data', (piece) => {
        body += piece;
      });
      request.on('end', () => response.writeHead(201, { etag: 'e' }).end(`${request.headers['content-length']} ${body}`));
    });
    const answer = await post(url, { body: 'ü!' });
    expect(answer).toMatchObject({ status: 201, headers: { etag: 'e' }, text: '3 ü!', isCut: false });
  });

  it('cuts off an answer that is too long, because it may never end', async () => {
    const url = await serve((_, response) => response.writeHead(200).write('x'.repeat(1_000)));
    expect(await post(url)).toMatchObject({ status: 200, isCut: true });
  });

  it('fails with a connection error if the answer breaks off', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '50' });
      response.write('half', () => response.destroy());
    });
    const error = await post(url).catch((thrown: unknown) => thrown);
    expect(isConnectionError(error)).toBe(true);
  });

  it('does not blame the connection for a header that cannot be sent', async () => {
    const url = await serve((_, response) => response.end());
    const error = await post(url, { headers: { name: 'two\nlines' } }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(isConnectionError(error)).toBe(false);
  });

  it("rejects with the signal's reason when it is aborted", async () => {
    const url = await serve(() => {});
    const controller = new AbortController();
    const exchange = post(url, { signal: controller.signal });
    controller.abort(new Error('not wanted any more'));
    await expect(exchange).rejects.toThrow('not wanted any more');
  });

  it('treats an answer before the end of the body as a refusal, and sends no more', async () => {
    let received = 0;
    const url = await serve((request, response) => {
      request.once('data', () => {
        response.writeHead(413).end('too large');
      });
      request.on('data', (piece) => {
        received += piece.length;
      });
    });
    const size = 512 * 1024 * 1024;
    const pieces = function* () {
      for (let sent = 0; sent < size; sent += 65_536) yield new Uint8Array(65_536);
    };
    expect(await post(url, { body: { size, pieces } })).toMatchObject({ status: 413, text: 'too large' });
    expect(received).toBeLessThan(size);
  });

  it('fails when nothing moves', async () => {
    const url = await serve(() => {});
    await expect(post(url, { idleMs: 50 })).rejects.toThrow('nothing moved for 0.05 s');
  });
});
