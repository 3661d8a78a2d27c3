import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import type { TestCertificate } from '../network/certificates.ts';

export interface ForwardProxy {
  /** For example `http://127.0.0.1:21234`. */
  readonly url: string;
  /** Methods and targets of all requests, without queries: `PUT http://store.test:9000/b/k` or `CONNECT store.test:9000`, for example. */
  readonly asked: readonly string[];
  /** The `Proxy-Authorization` of each request. */
  readonly authorizations: readonly (string | undefined)[];
  /** The number of connections that clients have opened so far. */
  readonly connections: number;
  /** The number of connections that are open now, from clients and to hosts. */
  readonly open: number;
  close(): Promise<void>;
}

export interface ForwardProxyOptions {
  /** The port to listen on; a free one by default. */
  readonly port?: number;
  /** The status with which to refuse every request. */
  readonly refuseWith?: number;
  /** Accepts connections and never answers. */
  readonly isSilent?: boolean;
  /** Speaks TLS with its clients. */
  readonly tls?: TestCertificate;
}

/** Starts a proxy as companies run them: for plain requests and tunnels. It resolves every name to 127.0.0.1, so tests need no real names. */
export async function startForwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const sockets = new Set<Duplex>();
  let connections = 0;
  const server = options.tls === undefined ? http.createServer() : https.createServer(options.tls);
  server.on('connection', (socket: net.Socket) => {
    connections += 1;
    track(socket);
  });

  function track(socket: Duplex): void {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  }

  function note(request: http.IncomingMessage): void {
    asked.push(`${request.method} ${request.url?.split('?', 1)[0]}`);
    authorizations.push(request.headers['proxy-authorization']);
  }

  server.on('checkContinue', forward).on('request', forward);
  function forward(request: http.IncomingMessage, response: http.ServerResponse): void {
    note(request);
    if (options.isSilent) return;
    if (options.refuseWith !== undefined) {
      request.resume();
      response.writeHead(options.refuseWith).end();
      return;
    }
    const url = new URL(request.url ?? '');
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const { method = 'GET' } = request;
    const target = { host: '127.0.0.1', port: url.port, path: url.pathname + url.search, agent: false as const };
    const onward = http.request({ ...target, method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('continue', () => response.writeContinue());
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  server.on('connect', (request: http.IncomingMessage, client: Duplex) => {
    note(request);
    client.on('error', () => {}).on('end', () => client.destroy());
    // Reading is the only way to notice that the client closes.
    if (options.isSilent) return void client.resume();
    if (options.refuseWith !== undefined) {
      client.end(`HTTP/1.1 ${options.refuseWith} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const upstream = net.connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    track(upstream);
    upstream.on('close', () => client.destroy());
    client.on('close', () => upstream.destroy());
  });

  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    asked,
    authorizations,
    get connections() {
      return connections;
    },
    get open() {
      return sockets.size;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
