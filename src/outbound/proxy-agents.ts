import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { ADDRESS_ATTEMPT_MS, type AgentOptions, directAgent, type MakeAgent } from './direct-agent.ts';
import type { HttpProxy, ProxySettings } from './proxy-settings.ts';
import { openTunnel } from './tunnel.ts';

/** Makes agents that use the proxy which the settings name for a URL: `https:` through a tunnel, `http:` by requests to the proxy. */
export function agentsThrough({ proxyFor }: ProxySettings): MakeAgent {
  return (url, options) => {
    const proxy = proxyFor(url);
    if (proxy === undefined) return directAgent(url, options);
    return url.startsWith('https:') ? new TunnelAgent(proxy, options) : new ForwardAgent(proxy, options);
  };
}

type Created = (error: Error | null, socket?: Duplex) => void;

/** Public methods of node:http's agents that @types/node does not declare. */
interface AgentHooks {
  addRequest(request: http.ClientRequest, options: object): void;
  createSocket(request: http.ClientRequest, options: object, created: Created): void;
  createConnection(options: object, created?: Created): Duplex | undefined;
}
const HTTP_HOOKS = http.Agent.prototype as unknown as AgentHooks;
const HTTPS_HOOKS = https.Agent.prototype as unknown as AgentHooks;

/** Internals of a request that expects 100-continue: Node queues its head before it calls the agent. */
interface WrittenHead {
  _header: string | null;
  _headerSent: boolean;
  outputData: unknown[];
  outputSize: number;
  _implicitHeader(): void;
}

/** Sends plain HTTP requests to the proxy, with the whole URL in their first line (RFC 9112, 3.2.2). */
class ForwardAgent extends http.Agent {
  readonly #proxy: HttpProxy;

  constructor(proxy: HttpProxy, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  addRequest(request: http.ClientRequest, options: object): void {
    const head = request as unknown as WrittenHead;
    const isWritten = head._header !== null;
    if (isWritten) Object.assign(head, { _header: null, _headerSent: false, outputData: [], outputSize: 0 });
    request.path = `http://${request.getHeader('host')}${request.path}`;
    if (this.#proxy.authorization !== undefined) request.setHeader('proxy-authorization', this.#proxy.authorization);
    if (isWritten) head._implicitHeader();
    HTTP_HOOKS.addRequest.call(this, request, options);
  }

  /** Uses one pool for all hosts, because all connections lead to the proxy. */
  override getName(): string {
    return this.#proxy.origin;
  }

  override createConnection({ keepAlive, keepAliveInitialDelay }: net.TcpNetConnectOpts): net.Socket {
    const { protocol, hostname, port } = new URL(this.#proxy.origin);
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const signsOfLife = { ...(keepAlive && { keepAlive }), ...(keepAliveInitialDelay && { keepAliveInitialDelay }) };
    const where = { ...signsOfLife, host, autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS, noDelay: true };
    if (protocol === 'http:') return net.connect({ ...where, port: Number(port || 80) });
    return tls.connect({ ...where, port: Number(port || 443), servername: net.isIP(host) === 0 ? host : '' });
  }
}

const REQUEST = Symbol('the request that a connection is opened for');

interface TunnelOptions {
  readonly host: string;
  readonly port: number | string;
  readonly [REQUEST]: http.ClientRequest;
}

/** Speaks TLS with the host itself through a tunnel, so that the proxy sees neither URLs nor tokens. */
class TunnelAgent extends https.Agent {
  readonly #proxy: HttpProxy;

  constructor(proxy: HttpProxy, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  createSocket(request: http.ClientRequest, options: object, created: Created): void {
    HTTPS_HOOKS.createSocket.call(this, request, { ...options, [REQUEST]: request }, created);
  }

  override createConnection(options: TunnelOptions, created: Created): undefined {
    const authority = `${net.isIP(options.host) === 6 ? `[${options.host}]` : options.host}:${options.port}`;
    const { signal, release } = watchDestroy(options[REQUEST]);
    openTunnel(this.#proxy, authority, signal)
      .finally(release)
      .then((socket) => HTTPS_HOOKS.createConnection.call(this, { ...options, socket }))
      .then(
        (secured) => created(null, secured),
        (error) => created(signal.aborted ? signal.reason : error),
      );
  }
}

/**
 * Returns a signal that is aborted when the request is destroyed. Before a request has a connection, Node emits neither `error` nor
 * `close` when it is destroyed: it would wait for a proxy that does not answer, in spite of its signal and of time limits.
 */
function watchDestroy(request: http.ClientRequest): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const { destroy } = request;
  request.destroy = (error) => {
    controller.abort(error ?? Object.assign(new Error('the request was ended'), { code: 'ECONNRESET' }));
    return destroy.call(request, error);
  };
  if (request.destroyed) controller.abort();
  return {
    signal: controller.signal,
    release() {
      request.destroy = destroy;
    },
  };
}
