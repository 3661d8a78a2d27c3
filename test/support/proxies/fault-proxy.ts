import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CannedAnswer, Fault } from './faults.ts';
import { type FaultyLink, startFaultyLink } from './faulty-link.ts';

/** A request as the proxy sees it when its headers are there. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** Undefined where the URL names none. */
  readonly partNumber: number | undefined;
  readonly uploadId: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
  /** 1 for the first request of this method, path and part. */
  readonly attempt: number;
}

export interface RecordedPut {
  readonly partNumber: number;
  readonly attempt: number;
  /** Bytes of the body that came from the client. */
  bodyBytes: number;
  /** The server's status, or the canned one, as the client was told it; otherwise why the client was told nothing. Undefined while it runs. */
  outcome: number | 'cut' | 'answer lost' | 'client left' | 'server left' | undefined;
}

export interface Rule {
  /** Requests that it was applied to. */
  readonly hits: number;
  /** Later requests are passed on again. */
  remove(): void;
}

/** Hears of every PUT of a part as it happens. */
export interface PutWatch {
  /** Its head has arrived. */
  began(put: SeenRequest): void;
  /** The server answered, whatever the client was told of it. */
  answered(put: SeenRequest, status: number): void;
  /** Nothing more of it will reach the server. */
  ended(put: SeenRequest): void;
}

export interface FaultProxy {
  readonly url: string;
  /** The connections below the requests: down, frozen, slow. */
  readonly link: FaultyLink;
  /** Every PUT of a part, in the order in which they began. */
  readonly puts: readonly RecordedPut[];
  /** Highest number of PUTs whose bodies were under way at the same time. */
  readonly mostPutsAtOnce: number;
  /** How many requests that match were answered, or came to nothing, so far. */
  count(matches: (request: SeenRequest) => boolean): number;
  /** Applies the fault to the requests that match: all later ones, or only as many as `times` says. The oldest rule that matches decides. */
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

/** A proxy that understands HTTP, and does with a request what a test says. Host and signature are passed on as they came. */
export async function startFaultProxy(target: string, watch?: PutWatch): Promise<FaultProxy> {
  const { hostname: host, port } = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  const rules: ActiveRule[] = [];
  const puts: RecordedPut[] = [];
  const over: SeenRequest[] = [];
  const attempts = new Map<string, number>();
  let bodiesUnderWay = 0;
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
    bodiesUnderWay += 1;
    mostPutsAtOnce = Math.max(mostPutsAtOnce, bodiesUnderWay);
    let underWay = true;
    const ended = () => {
      if (underWay) bodiesUnderWay -= 1;
      underWay = false;
    };
    request.once('end', ended).once('close', ended);
    return put;
  }

  async function handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const seen = see(request);
    const put = record(seen, request);
    const fault = faultFor(seen);
    const told = isPut(seen) ? watch : undefined;
    told?.began(seen);
    response.on('error', () => {}).once('close', () => over.push(seen));
    try {
      if (fault?.kind === 'answer') {
        told?.ended(seen);
        await answer(request, response, put, fault.answer);
      } else {
        const onAnswer = (status: number) => told?.answered(seen, status);
        await forward(request, response, put, fault, onAnswer).finally(() => told?.ended(seen));
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
    const tell = () => {
      put.outcome = canned.status;
      response.writeHead(canned.status, canned.headers).end(canned.body);
    };
    if (canned.when === 'at once') tell();
    // The rest is read in any case: a close on unread bytes is a reset, and that may overtake the answer.
    for await (const bytes of bodyOf(request)) put.bodyBytes += bytes.length;
    if (canned.when === 'body read') tell();
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
  // A client that keeps a connection idle for long is not this proxy's business.
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

/** Its end is not the connection's end. */
function bodyOf(message: http.IncomingMessage): AsyncIterable<Buffer> {
  return message.iterator({ destroyOnReturn: false });
}

function write(request: http.ClientRequest, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => request.write(bytes, () => resolve()));
}
