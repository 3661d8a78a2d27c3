import { once } from 'node:events';
import * as http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A PUT of a part that has just arrived: its headers are read, its body is not. */
export interface ArrivedPut {
  readonly partNumber: number;
  /** 1 for the first PUT of this part, and so on. */
  readonly attempt: number;
}

/** A fault of one PUT. */
export type PutFault =
  /** The proxy answers at once instead of the store, whether or not the body arrives. */
  | { readonly answer: number; readonly code?: string; readonly message?: string; readonly retryAfter?: number }
  /** The connection is reset once this many bytes of the body have arrived. */
  | { readonly resetAfter: number }
  /** Reading stops once this many bytes of the body have arrived, and there is no answer. */
  | { readonly stallAfter: number }
  /** The store gets the whole request; its answer is lost with the connection. */
  | { readonly loseAnswer: true };

/** Chooses a fault for each PUT, or none. The PUT waits while the plan is pending, and the plan may do other things meanwhile. */
export type PutPlan = (put: ArrivedPut) => PutFault | undefined | Promise<PutFault | undefined>;

export interface PartProxy {
  readonly url: string;
  plan: PutPlan;
  /** Part numbers of the PUTs in the order of their arrival, including repeats. */
  readonly puts: readonly number[];
  /** The most PUTs that were waiting for their answers at the same time. */
  readonly mostAtOnce: number;
  putsOf(partNumber: number): number;
  /** Breaks all connections and refuses new ones. */
  goDown(): Promise<void>;
  comeBack(): Promise<void>;
}

/**
 * Starts a proxy in front of a real object store, so that a test decides each PUT of a part in its `plan`. The proxy keeps the Host
 * header, which is signed. Closed when the test ends.
 */
export async function startPartProxy(target: string): Promise<PartProxy> {
  const { hostname, port: targetPort } = new URL(target);
  const puts: number[] = [];
  const sockets = new Set<Socket>();
  const toStore = new http.Agent({ keepAlive: true });
  let unanswered = 0;
  let mostAtOnce = 0;

  const server = http.createServer((request, response) => {
    request.on('error', () => {});
    response.on('error', () => {});
    if (request.method === 'PUT') void handlePut(request, response);
    else forward(request, response);
  });
  // A client may keep a connection idle for long; this proxy does not close it.
  server.keepAliveTimeout = 0;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  onTestFinished(async () => {
    toStore.destroy();
    await goDown();
  });

  const proxy: PartProxy = {
    url: `http://127.0.0.1:${port}`,
    plan: () => undefined,
    puts,
    get mostAtOnce() {
      return mostAtOnce;
    },
    putsOf: (partNumber) => puts.filter((put) => put === partNumber).length,
    goDown,
    comeBack: () => listen(port),
  };
  return proxy;

  async function handlePut(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const partNumber = Number(new URL(request.url ?? '/', proxy.url).searchParams.get('partNumber'));
    puts.push(partNumber);
    mostAtOnce = Math.max(mostAtOnce, ++unanswered);
    response.on('close', () => unanswered--);
    const fault = await proxy.plan({ partNumber, attempt: proxy.putsOf(partNumber) });
    if (fault === undefined) forward(request, response);
    else if ('answer' in fault) answerInstead(request, response, fault);
    else if ('loseAnswer' in fault) forward(request, response, () => request.socket.resetAndDestroy());
    else breakOff(request, fault);
  }

  /** Forwards the request. `insteadOfAnswer`, if given, runs once the store has answered, and the answer is dropped. */
  function forward(request: http.IncomingMessage, response: http.ServerResponse, insteadOfAnswer?: () => void): void {
    const { method, url, headers } = request;
    const onward = http.request({ host: hostname, port: targetPort, method, path: url, headers, agent: toStore }, (answer) => {
      if (insteadOfAnswer) {
        answer.resume().on('end', insteadOfAnswer);
        return;
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => {
      if (!onward.writableFinished) onward.destroy();
    });
    request.pipe(onward);
  }

  function answerInstead(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    fault: Extract<PutFault, { answer: number }>,
  ): void {
    const { answer, code, message = '', retryAfter } = fault;
    // The body is read and discarded: closing a socket with unread bytes resets it, and the reset may overtake the answer.
    request.resume();
    response.writeHead(answer, {
      'content-type': 'application/xml',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    });
    response.end(code === undefined ? '' : `<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  }

  function breakOff(request: http.IncomingMessage, fault: { resetAfter: number } | { stallAfter: number }): void {
    let arrived = 0;
    request.on('data', (bytes: Buffer) => {
      arrived += bytes.length;
      if ('resetAfter' in fault && arrived >= fault.resetAfter) request.socket.resetAndDestroy();
      if ('stallAfter' in fault && arrived >= fault.stallAfter) request.pause();
    });
  }

  async function listen(at: number): Promise<void> {
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
  }

  async function goDown(): Promise<void> {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  }
}
