import * as http from 'node:http';
import * as https from 'node:https';
import type { Socket } from 'node:net';
import { directAgent } from './direct-agent.ts';
import { ProxyFailure } from './proxy-failure.ts';
import type { HttpProxy } from './proxy-settings.ts';

/** Longest wait for the proxy. It answers once it has reached the host, which may take as long as an operating system tries to connect. */
const TUNNEL_MS = 120_000;
/** TCP keep-alive delay, as agents set it for connections that they keep. */
const KEEP_ALIVE_MS = 1_000;

/**
 * Asks the proxy for a connection to `authority` (host and port).
 * @throws ProxyFailure, also when the signal is aborted
 */
export function openTunnel(proxy: HttpProxy, authority: string, signal: AbortSignal): Promise<Socket> {
  const { request } = proxy.origin.startsWith('https:') ? https : http;
  return new Promise((resolve, reject) => {
    const asking = request(proxy.origin, {
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        connection: 'keep-alive',
        ...(proxy.authorization !== undefined && { 'proxy-authorization': proxy.authorization }),
      },
      agent: directAgent(proxy.origin, { keepAlive: false }),
      signal,
    });
    const fail = (what: string, cause?: unknown) => reject(new ProxyFailure(`the proxy ${proxy.origin} ${what}`, { cause }));
    const timer = setTimeout(() => {
      fail(`gave no answer for ${TUNNEL_MS / 1_000} s`);
      asking.destroy();
    }, TUNNEL_MS);
    asking.on('close', () => {
      clearTimeout(timer);
      fail('closed the connection without an answer');
    });
    asking.on('error', (error: NodeJS.ErrnoException) => fail(`cannot be used: ${error.code ?? error.message}`, error));
    asking.on('connect', ({ statusCode = 0 }, socket: Socket, head) => {
      clearTimeout(timer);
      if (statusCode >= 200 && statusCode < 300) {
        if (head.length > 0) socket.unshift(head);
        socket.setKeepAlive(true, KEEP_ALIVE_MS);
        resolve(socket);
        return;
      }
      socket.destroy();
      fail(describeRefusal(statusCode));
    });
    asking.end();
  });
}

/** Leaves out the reason phrase, which is the proxy's own text. */
function describeRefusal(status: number): string {
  if (status === 407)
    return 'answered HTTP 407: it wants a name and a password, or other ones (in the URL of the proxy: http://NAME:PASSWORD@…)';
  if (status === 403) return 'answered HTTP 403: it does not let connections to this host and port through';
  return `answered HTTP ${status} to the request for a connection`;
}
