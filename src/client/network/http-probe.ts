import * as http from 'node:http';
import * as https from 'node:https';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import { LinkFailure } from './link-failure.ts';
import { explainPlainHttp } from './tls-probe.ts';

export interface ProbeOptions {
  readonly timeoutMs: number;
  readonly makeAgent?: MakeAgent | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks whether anybody answers at a URL, over a connection of its own: kept ones are what is in doubt.
 * Resolves to the HTTP status. @throws LinkFailure when no answer comes within `timeoutMs`.
 */
export function probeUrl(url: string, options: ProbeOptions): Promise<number> {
  const { timeoutMs, makeAgent = directAgent, signal } = options;
  return new Promise((resolve, reject) => {
    const agent = makeAgent(url, { keepAlive: false });
    const send = url.startsWith('https:') ? https.request : http.request;
    const request = send(url, { method: 'GET', agent, ...(signal && { signal }) }, (response) => {
      // Its body says nothing, and might never end.
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    // Of the whole attempt, connecting included; a socket's own time-out begins when it is connected.
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), timeoutMs);
    request.on('close', () => clearTimeout(timer));
    request.on('error', (error) => explainPlainHttp(new LinkFailure(error), url, makeAgent).then(reject, reject));
    request.end();
  });
}
