import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What the proxy does to the PUT of a part. */
export type Meddling =
  /** Passes all on, and takes the ETag from the answer. */
  | { readonly kind: 'drop-etag' }
  /** Answers by itself once the body has come; nothing of it reaches the store. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Passes all on, and answers by itself what the store answered. */
  | { readonly kind: 'replace-answer'; readonly status: number }
  /** Closes the connection so long after the request began. */
  | { readonly kind: 'cut-after-ms'; readonly ms: number }
  | { readonly kind: 'cut-after-bytes'; readonly bytes: number }
  /** 413 for bodies that are larger, as their Content-Length says; `hastily` closes at once, which often breaks the connection before the answer is read. */
  | { readonly kind: 'refuse-above'; readonly bytes: number; readonly hastily?: true };

export interface MeddlingProxy {
  readonly url: string;
  /** Decides for each PUT; `contentLength` is what its header says. Nothing is done to one without. */
  meddle: (put: { readonly contentLength: number; readonly number: number }) => Meddling | undefined;
  /** Body bytes of PUTs that arrived here. */
  readonly bytesUp: number;
  /** PUTs with a body. */
  readonly puts: number;
  /** PUTs without one: questions whether the store answers. */
  readonly emptyPuts: number;
  close(): Promise<void>;
}

/** Stands between clients and a store that works, as proxies and balancers do that have their own ideas. Host and signature are passed on. */
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
  // A question before the body comes: `Expect: 100-continue`.
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
    // Read, and thrown away: a close on unread bytes is a reset, which may overtake the answer.
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

/** One that is gone when the test is over. */
export async function aMeddlingProxy(target: string): Promise<MeddlingProxy> {
  const proxy = await startMeddlingProxy(target);
  onTestFinished(() => proxy.close());
  return proxy;
}
