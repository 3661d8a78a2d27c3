import * as http from 'node:http';
import * as https from 'node:https';

/**
 * How long the connection to one address of a name may take while there is another address to try; the last has no such limit.
 * Node's own 250 ms is shorter than many handshakes: over a satellite or a full uplink every address would be given up, one after
 * another. 2.5 s allow for a lost SYN (sent again after 1 s, RFC 6298) and a slow answer. More would cost too much where the first
 * address is dead (an IPv6 route that leads nowhere), for Node tries them one after another: half of the 5 s that a probe may take.
 * Set for each connection; Node's setter for the whole process belongs to the program that uses this library.
 */
export const ADDRESS_ATTEMPT_MS = 2_500;

export interface AgentOptions {
  /** Whether connections are kept open for the next request. */
  readonly keepAlive: boolean;
  /** Most connections at once; no limit where left out. */
  readonly maxSockets?: number;
}

/** Makes the agent for requests to a URL: it decides over which way they go. */
export type MakeAgent = (url: string, options: AgentOptions) => http.Agent;

/** Straight to the host that the URL names. */
export const directAgent: MakeAgent = (url, options) => {
  const { Agent } = url.startsWith('https:') ? https : http;
  return new Agent({ ...options, autoSelectFamilyAttemptTimeout: ADDRESS_ATTEMPT_MS });
};
