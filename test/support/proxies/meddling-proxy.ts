import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A way in which the proxy changes the PUT of a part, or its answer. */
export type Meddling =
  /** Forwards everything, and removes the ETag from the answer. */
  | { readonly kind: 'drop-etag' }
  /** Answers by itself once the body has arrived; nothing reaches the store. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Forwards everything, and replaces the status of the store's answer. */
  | { readonly kind: 'replace-answer'; readonly status: number }
  /** Closes the connection this long after the request began. */
  | { readonly kind: 'cut-after-ms'; readonly ms: number }
  | { readonly kind: 'cut-after-bytes'; readonly bytes: number }
  /** Answers 413 if the Content-Length is larger; `hastily` closes at once, which often breaks the connection before the answer is read. */
  | { readonly kind: 'refuse-above'; readonly bytes: number; readonly hastily?: true };

export interface MeddlingProxy {
  readonly url: string;
  /** Decides for each PUT by the length in its header and its number. A PUT for which it returns undefined is forwarded unchanged. */
  meddle: (put: { readonly contentLength: number; readonly number: number }) => Meddling | undefined;
  /** Body bytes of PUTs that arrived here. */
  readonly bytesUp: number;
  /** The number of PUTs with a body. */
  readonly puts: number;
  /** The number of PUTs without a body, by which clients ask whether the store answers. */
  readonly emptyPuts: number;
  close(): Promise<void>;
}

/** Starts a proxy in front of a working store that meddles with requests, as some proxies and balancers do. It keeps Host and signature. */
export async function startMeddlingProxy(target: string): Promise<MeddlingProxy> {
  const { hostname: host, port } = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  let bytesUp = 0;
  let puts = 0;
  let emptyPuts = 0;

  const server = http.createServer((request, response) => {
    request.on('error', () => {});
    response.on('error', () => {});
    const contentLength = Number(request.headers['content-length'] ?? 0);
    if (request.method !== 'PUT') {
      pass(request, response);
      return;
    }
    request.on('data', (bytes: Buffer) => {
      bytesUp += bytes.length;
    });
    if (contentLength === 0) emptyPuts += 1;
    else puts += 1;
    meddleWith(request, response, proxy.meddle({ contentLength, number: puts }));
  });
  // `Expect: 100-continue`: the client asks before it sends the body.
  server.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
    const contentLength = Number(request.headers['content-length']);
    const meddling = proxy.meddle({ contentLength, number: puts });
    if (meddling?.kind === 'refuse-above' && contentLength > meddling.bytes) refuse(request, response);
    else response.writeContinue();
  });
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  function meddleWith(request: http.IncomingMessage, response: http.ServerResponse, meddling: Meddling | undefined): void {
    switch (meddling?.kind) {
      case undefined:
        pass(request, response);
        return;
      case 'drop-etag':
        pass(request, response, ({ statusCode = 0, headers }) => {
          const { etag: _, ...rest } = headers;
          response.writeHead(statusCode, rest);
        });
        return;
      case 'replace-answer':
        pass(request, response, () => {
          response.writeHead(meddling.status, { 'content-type': 'text/html' });
        });
        return;
      case 'answer':
        request.on('end', () => response.writeHead(meddling.status, meddling.headers).end(meddling.body)).resume();
        return;
      case 'cut-after-ms':
        setTimeout(() => request.socket.destroy(), meddling.ms).unref();
        pass(request, response);
        return;
      case 'cut-after-bytes': {
        let arrived = 0;
        request.on('data', (bytes: Buffer) => {
          arrived += bytes.length;
          if (arrived >= meddling.bytes) request.socket.destroy();
        });
        pass(request, response);
        return;
      }
      case 'refuse-above':
        if (Number(request.headers['content-length']) <= meddling.bytes) {
          pass(request, response);
          return;
        }
        if (meddling.hastily) request.once('data', () => request.socket.resetAndDestroy());
        else refuse(request, response);
        return;
    }
  }

  function refuse(request: http.IncomingMessage, response: http.ServerResponse): void {
    response.writeHead(413, { 'content-type': 'text/html', server: 'nginx' }).end('<html>413 Request Entity Too Large</html>');
    // The body is read and discarded: closing a socket with unread bytes resets it, and the reset may overtake the answer.
    request.resume();
  }

  function pass(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    head = ({ statusCode = 502, headers }: http.IncomingMessage) => void response.writeHead(statusCode, headers),
  ): void {
    const { method, url: path, headers } = request;
    const onward = http.request({ host, port, method, path, headers, agent }, (answer) => {
      head(answer);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.on('close', () => {
      if (!request.complete) onward.destroy();
    });
    request.pipe(onward);
  }

  const proxy: MeddlingProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    meddle: () => undefined,
    get bytesUp() {
      return bytesUp;
    },
    get puts() {
      return puts;
    },
    get emptyPuts() {
      return emptyPuts;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
  return proxy;
}

/** Starts a meddling proxy, which is closed when the test ends. */
export async function aMeddlingProxy(target: string): Promise<MeddlingProxy> {
  const proxy = await startMeddlingProxy(target);
  onTestFinished(() => proxy.close());
  return proxy;
}
