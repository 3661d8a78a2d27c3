import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CannedAnswer, Fault } from './faults.ts';
import { type FaultyLink, startFaultyLink } from './faulty-link.ts';

/** A request as the proxy sees it once its headers have arrived. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** Undefined if the URL names no part. */
  readonly partNumber: number | undefined;
  readonly uploadId: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
  /** 1 for the first request of this method, path and part. */
  readonly attempt: number;
}

export interface RecordedPut {
  readonly partNumber: number;
  readonly attempt: number;
  /** Body bytes received from the client. */
  bodyBytes: number;
  /** The status that the client got, from the server or canned; otherwise why it got none. Undefined while the request is in progress. */
  outcome: number | 'cut' | 'answer lost' | 'client left' | 'server left' | undefined;
}

export interface Rule {
  /** The number of requests to which the rule was applied. */
  readonly hits: number;
  /** Removes the rule: later requests are forwarded again. */
  remove(): void;
}

/** Is notified of every PUT of a part. */
export interface PutWatch {
  /** The headers of the request have arrived. */
  began(put: SeenRequest): void;
  /** The server answered, whether or not the client gets the answer. */
  answered(put: SeenRequest, status: number): void;
  /** Nothing more of the request will reach the server. */
  ended(put: SeenRequest): void;
}

export interface FaultProxy {
  readonly url: string;
  /** The TCP link below the requests, which can be down, frozen or slow. */
  readonly link: FaultyLink;
  /** Every PUT of a part, in the order of their arrival. */
  readonly puts: readonly RecordedPut[];
  /** The most PUTs whose bodies were in transfer at the same time. */
  readonly mostPutsAtOnce: number;
  /** Counts the matching requests that have ended so far, with or without an answer. */
  count(matches: (request: SeenRequest) => boolean): number;
  /** Applies the fault to matching requests from now on: to all of them, or to the first `times`. The oldest matching rule decides. */
  inject(fault: Fault, matches: (request: SeenRequest) => boolean, options?: { times?: number }): Rule;
  close(): Promise<void>;
}

export const isPut = ({ method, partNumber }: SeenRequest): boolean => method === 'PUT' && partNumber !== undefined;
export const isPutOf = (partNumber: number) => (request: SeenRequest) => isPut(request) && request.partNumber === partNumber;

interface ActiveRule {
  readonly fault: Fault;
  readonly matches: (request: SeenRequest) => boolean;
  readonly times: number;
  hits: number;
}

/** Starts an HTTP proxy that injects the faults that a test chooses. It forwards the Host header and the signature unchanged. */
export async function startFaultProxy(target: string, watch?: PutWatch): Promise<FaultProxy> {
  const { hostname: host, port } = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  const rules: ActiveRule[] = [];
  const puts: RecordedPut[] = [];
  const over: SeenRequest[] = [];
  const attempts = new Map<string, number>();
  let bodiesInTransfer = 0;
  let mostPutsAtOnce = 0;

  function see({ method = '', url = '', headers }: http.IncomingMessage): SeenRequest {
    const { pathname: path, searchParams } = new URL(url, target);
    const partNumber = searchParams.has('partNumber') ? Number(searchParams.get('partNumber')) : undefined;
    const uploadId = searchParams.get('uploadId') ?? undefined;
    const which = `${method} ${path} ${partNumber}`;
    const attempt = (attempts.get(which) ?? 0) + 1;
    attempts.set(which, attempt);
    return { method, path, partNumber, uploadId, headers, attempt };
  }

  function faultFor(seen: SeenRequest): Fault | undefined {
    const rule = rules.find((candidate) => candidate.hits < candidate.times && candidate.matches(seen));
    if (rule) rule.hits += 1;
    return rule?.fault;
  }

  function record(seen: SeenRequest, request: http.IncomingMessage): RecordedPut {
    const put: RecordedPut = { partNumber: seen.partNumber ?? 0, attempt: seen.attempt, bodyBytes: 0, outcome: undefined };
    if (!isPut(seen)) return put;
    puts.push(put);
    bodiesInTransfer += 1;
    mostPutsAtOnce = Math.max(mostPutsAtOnce, bodiesInTransfer);
    let isInTransfer = true;
    const ended = () => {
      if (isInTransfer) bodiesInTransfer -= 1;
      isInTransfer = false;
    };
    request.once('end', ended).once('close', ended);
    return put;
  }

  async function handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const seen = see(request);
    const put = record(seen, request);
    const fault = faultFor(seen);
    const watcher = isPut(seen) ? watch : undefined;
    watcher?.began(seen);
    response.on('error', () => {}).once('close', () => over.push(seen));
    try {
      if (fault?.kind === 'answer') {
        watcher?.ended(seen);
        await answer(request, response, put, fault.answer);
      } else {
        const onAnswer = (status: number) => watcher?.answered(seen, status);
        await forward(request, response, put, fault, onAnswer).finally(() => watcher?.ended(seen));
      }
    } catch {
      put.outcome ??= 'client left';
      request.socket.resetAndDestroy();
    }
  }

  async function answer(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    put: RecordedPut,
    canned: CannedAnswer,
  ): Promise<void> {
    const respond = () => {
      put.outcome = canned.status;
      response.writeHead(canned.status, canned.headers).end(canned.body);
    };
    if (canned.when === 'at once') respond();
    // The rest is always read: closing a socket with unread bytes resets it, and the reset may overtake the answer.
    for await (const bytes of bodyOf(request)) put.bodyBytes += bytes.length;
    if (canned.when === 'body read') respond();
  }

  async function forward(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    put: RecordedPut,
    fault: Exclude<Fault, { kind: 'answer' }> | undefined,
    onAnswer: (status: number) => void,
  ): Promise<void> {
    const { method, url: path, rawHeaders: headers } = request;
    const upstream = http.request({ host, port, agent, method, path, headers });
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      upstream.once('response', resolve);
      upstream.on('error', reject);
    });
    let answeredEarly = false;
    answered.then(
      ({ statusCode = 0 }) => {
        answeredEarly = true;
        onAnswer(statusCode);
      },
      () => {},
    );
    try {
      for await (const bytes of bodyOf(request)) {
        put.bodyBytes += bytes.length;
        if (fault?.kind === 'stall' && put.bodyBytes >= fault.afterBytes) await fault.gate.opened;
        if (!answeredEarly) await Promise.race([write(upstream, bytes), answered]);
        if (fault?.kind === 'cut' && put.bodyBytes >= fault.afterBytes) {
          put.outcome = 'cut';
          upstream.destroy();
          if (fault.how === 'reset') request.socket.resetAndDestroy();
          else request.socket.destroy();
          return;
        }
      }
      upstream.end();
    } catch (error) {
      upstream.destroy();
      throw error;
    }
    await passOn(answered, request, response, put, fault);
  }

  async function passOn(
    answered: Promise<http.IncomingMessage>,
    request: http.IncomingMessage,
    response: http.ServerResponse,
    put: RecordedPut,
    fault: Fault | undefined,
  ): Promise<void> {
    try {
      const answer = await answered;
      const chunks: Buffer[] = [];
      for await (const bytes of bodyOf(answer)) chunks.push(bytes);
      if (fault?.kind === 'hold-answer') await fault.gate.opened;
      if (fault?.kind === 'lose-answer') {
        put.outcome = 'answer lost';
        request.socket.resetAndDestroy();
        return;
      }
      put.outcome = response.destroyed ? 'client left' : answer.statusCode;
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders).end(Buffer.concat(chunks));
    } catch (error) {
      put.outcome = 'server left';
      throw error;
    }
  }

  const server = http.createServer((request, response) => void handle(request, response));
  // A client may keep a connection idle for long; this proxy does not close it.
  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const link = await startFaultyLink({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  return {
    url: link.url,
    link,
    puts,
    get mostPutsAtOnce() {
      return mostPutsAtOnce;
    },
    count: (matches) => over.filter(matches).length,
    inject(fault, matches, { times = Number.POSITIVE_INFINITY } = {}) {
      const rule: ActiveRule = { fault, matches, times, hits: 0 };
      rules.push(rule);
      return {
        get hits() {
          return rule.hits;
        },
        remove() {
          rules.splice(rules.indexOf(rule), 1);
        },
      };
    },
    async close() {
      await link.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
}

/** Iterates over the body without closing the connection at its end. */
function bodyOf(message: http.IncomingMessage): AsyncIterable<Buffer> {
  return message.iterator({ destroyOnReturn: false });
}

function write(request: http.ClientRequest, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => request.write(bytes, () => resolve()));
}
