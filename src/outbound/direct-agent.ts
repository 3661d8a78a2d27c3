import * as http from 'node:http';
import * as https from 'node:https';

/**
 * Time limit for connecting to one address of a name while there is another address to try; the last address has no such limit.
 * Node's default of 250 ms is shorter than many handshakes: over a satellite or a full uplink it would give up every address in turn.
 * 2.5 s allow for a lost SYN (sent again after 1 s, RFC 6298) and a slow answer. More would cost too much if the first address is dead
 * (an IPv6 route that leads nowhere), because Node tries them one after another: this is half of the 5 s that a probe may take.
 * Set for each connection; Node's setting for the whole process belongs to the program that uses this library.
 */
export const ADDRESS_ATTEMPT_MS = 2_500;

export interface AgentOptions {
  /** Whether connections are kept open for the next request. */
  readonly keepAlive: boolean;
  /** Most connections at once; no limit if omitted. */
  readonly maxSockets?: number;
}

/** Makes the agent for requests to a URL. The agent decides whether they go directly or through a proxy. */
export type MakeAgent = (url: string, options: AgentOptions) => http.Agent;

/** Makes an agent that connects directly to the host of the URL. */
export const directAgent: MakeAgent = (url, options) => {
  const { Agent } = url.startsWith('https:') ? https : http;
  return new Agent({ ...options, autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS });
};
