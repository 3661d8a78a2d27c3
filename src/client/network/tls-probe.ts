import type * as http from 'node:http';
import * as https from 'node:https';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import { isUploadError } from '../../session/errors.ts';
import { LinkFailure } from './link-failure.ts';

/** A handshake needs two round trips; a server that stays silent for longer has not shown that it speaks TLS. */
const HANDSHAKE_MS = 2_000;
/** Codes with which servers that expect a handshake close plain HTTP. Others send a TLS alert, which is no HTTP, or answer HTTP 400. */
const CLOSED = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE']);

/**
 * Finds out whether a broken `http:` connection failed because the other end speaks TLS, which the failure itself does not say.
 * @returns the failure, or one with the trouble `only-tls`.
 */
export async function explainPlainHttp(
  failure: LinkFailure,
  url: string,
  makeAgent: MakeAgent = directAgent,
): Promise<LinkFailure> {
  const mayBeTls = failure.trouble === 'no-http' || CLOSED.has(failure.code ?? '');
  return mayBeTls && (await speaksTls(url, makeAgent)) ? new LinkFailure(failure.cause, 'only-tls') : failure;
}

/** Does the same for an answer that is neither a partway server's nor an object store's: Go and nginx answer HTTP 400 before they close. */
export async function explainForeignAnswer(
  status: number,
  url: string,
  makeAgent: MakeAgent = directAgent,
): Promise<LinkFailure | undefined> {
  const mayBeTls = status === 400 && (await speaksTls(url, makeAgent));
  return mayBeTls ? new LinkFailure(new Error(`HTTP ${status}`), 'only-tls') : undefined;
}

/** The origin of an `http:` URL with the scheme that its port answers. */
export function overTls(url: string): string {
  const { hostname, port } = new URL(url);
  return new URL(`https://${hostname}:${port || 80}`).origin;
}

/** Asks the port of an `http:` URL for a TLS handshake. The certificate does not matter, because nothing is sent that is worth protecting. */
function speaksTls(url: string, makeAgent: MakeAgent): Promise<boolean> {
  if (!url.startsWith('http:')) return Promise.resolve(false);
  const target = overTls(url);
  const agent = agentOrNone(makeAgent, target);
  if (agent === undefined) return Promise.resolve(false);
  return new Promise((resolve) => {
    const request = https.request(target, { method: 'HEAD', agent, rejectUnauthorized: false });
    const finish = (speaks: boolean) => {
      clearTimeout(timer);
      resolve(speaks);
      request.destroy();
    };
    const timer = setTimeout(finish, HANDSHAKE_MS, false);
    request.on('socket', (socket) => socket.once('secureConnect', () => finish(true)));
    request.on('response', () => finish(true));
    // An alert refuses this handshake, but in TLS.
    request.on('error', ({ message }) => finish(/\balert\b/i.test(message)));
    request.end();
  });
}

/** Undefined where `https:` would go through an unusable proxy, which says nothing about the `http:` URL. */
function agentOrNone(makeAgent: MakeAgent, target: string): http.Agent | undefined {
  try {
    return makeAgent(target, { keepAlive: false });
  } catch (error) {
    if (isUploadError(error, 'PROXY_NOT_USABLE')) return undefined;
    throw error;
  }
}
