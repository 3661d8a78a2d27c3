import { PATHS } from '../../contract/paths.ts';
import { directAgent, type MakeAgent } from '../../outbound/direct-agent.ts';
import { startRequest } from '../../outbound/http-exchange.ts';
import { asLinkFailure, LinkFailure } from './link-failure.ts';
import { explainPlainHttp } from './tls-probe.ts';

export interface ProbeOptions {
  readonly timeoutMs: number;
  readonly makeAgent?: MakeAgent | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks whether anything answers at a URL, over a new connection: kept ones are what is in doubt.
 * Resolves to the HTTP status. @throws LinkFailure when no answer comes within `timeoutMs`.
 */
export async function probeUrl(url: string, options: ProbeOptions): Promise<number> {
  const { timeoutMs, makeAgent = directAgent, signal } = options;
  const { outgoing, answered } = startRequest(url, { method: 'GET', agent: makeAgent(url, { keepAlive: false }), signal });
  // Limits the whole attempt, connecting included; a socket's own time-out begins when it is connected.
  const timer = setTimeout(() => outgoing.destroy(new Error('no answer in time')), timeoutMs);
  outgoing.on('close', () => clearTimeout(timer));
  outgoing.end();
  try {
    const response = await answered;
    // The body says nothing, and might never end.
    response.destroy();
    return response.statusCode ?? 0;
  } catch (error) {
    const failure = asLinkFailure(error);
    throw failure instanceof LinkFailure ? await explainPlainHttp(failure, url, makeAgent) : failure;
  }
}

const SERVER_PROBE_TIMEOUT_MS = 5_000;

export interface ServerAddress {
  /** For example `http://127.0.0.1:7373`. */
  readonly server: string;
  readonly makeAgent: MakeAgent;
}

/** Asks for the server's health, over a new connection. @throws unless the server says that it works */
export async function probeServer({ server, makeAgent }: ServerAddress, signal: AbortSignal): Promise<void> {
  const status = await probeUrl(server + PATHS.healthz, { timeoutMs: SERVER_PROBE_TIMEOUT_MS, makeAgent, signal });
  if (status !== 200) throw new Error(`it answers HTTP ${status}`);
}
