import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Balancer {
  readonly url: string;
  /** For each request so far, the index of the server that answered it. */
  readonly answeredBy: readonly number[];
  close(): Promise<void>;
}

/** Starts a round-robin balancer: each request, from any client, goes to the next server, and if that does not answer, to the one after it. */
export async function startBalancer(servers: readonly string[]): Promise<Balancer> {
  const answeredBy: number[] = [];
  let next = 0;
  const server = http.createServer(async (request, response) => {
    const body = await buffer(request);
    const first = next++;
    for (let tries = 0; tries < servers.length; tries++) {
      const index = (first + tries) % servers.length;
      const answer = await forward(servers[index] ?? '', request, body);
      if (answer === undefined) continue;
      answeredBy.push(index);
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on('error', () => response.destroy()).pipe(response);
      return;
    }
    response.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answeredBy,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Forwards the request over a new connection. Resolves with undefined if there is no answer. */
function forward(target: string, { method, url, headers }: http.IncomingMessage, body: Buffer) {
  return new Promise<http.IncomingMessage | undefined>((resolve) => {
    const request = http.request(`${target}${url}`, { method, headers, agent: false }, resolve);
    request.on('error', () => resolve(undefined));
    request.end(body);
  });
}
