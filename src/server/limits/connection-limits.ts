import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { isIPv6, limitKey, UNKNOWN_ADDRESS } from './client-address.ts';
import { createQuotaCounter, type Quota } from './quota-counter.ts';

export interface HttpLimits {
  /** Most bytes of the request line and all headers. */
  readonly maxHeaderSize: number;
  /** Until the last header has arrived; also for a connection that sends nothing at all. */
  readonly headersTimeoutMs: number;
  /** Until the whole request has arrived. Answers may take longer: completing a large object does, and a live stream has no end. */
  readonly requestTimeoutMs: number;
  /** How often the two time limits are checked. */
  readonly checkEveryMs: number;
  /** How long a connection is kept for its next request: longer than proxies keep theirs, most of them 60 s. */
  readonly keepAliveMs: number;
  readonly maxConnections: number;
  /** An IPv6 address counts with all of its /56, and a /48 may have twice as many. */
  readonly maxConnectionsPerAddress: number;
}

/** Default limits, of which contract/problems.ts names the first three. A partway client has a few connections; an office behind a NAT has many clients. */
export const HTTP_LIMITS: HttpLimits = {
  maxHeaderSize: 16 * 1_024,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 120_000,
  checkEveryMs: 1_000,
  keepAliveMs: 65_000,
  maxConnections: 4_000,
  maxConnectionsPerAddress: 500,
};

/** Returns the limits as options of Node's HTTP server. */
export function serverOptions(limits: HttpLimits) {
  return {
    maxHeaderSize: limits.maxHeaderSize,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.checkEveryMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Checked by the request listener, which answers with a problem document.
    requireHostHeader: false,
  };
}

/** Closes connections beyond the limits without an answer: writing one for each would help a flood. */
export function limitConnections(server: Server, limits: HttpLimits, isTrusted: (address: string) => boolean): void {
  const acquire = createQuotaCounter();
  server.maxConnections = limits.maxConnections;
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? UNKNOWN_ADDRESS;
    // All clients behind a proxy share its address, and the proxy has limits of its own.
    if (isTrusted(address)) return;
    const release = acquire(quotasOf(address, limits));
    if (release === undefined) socket.destroy();
    else socket.once('close', release);
  });
}

/** Counts whole IPv6 networks: homes are given a /56, companies and tunnels a /48 (RFC 6177), and must not get a share for each /64 in it. */
function quotasOf(address: string, { maxConnectionsPerAddress: most }: HttpLimits): Quota[] {
  if (!isIPv6(address)) return [{ key: limitKey(address), most }];
  return [
    { key: limitKey(address, 56), most },
    { key: limitKey(address, 48), most: 2 * most },
  ];
}
