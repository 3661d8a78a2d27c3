import { type ProxySettings, parseProxies } from '../../outbound/proxy-settings.ts';
import type { CliContext } from '../terminal/context.ts';
import { UsageError } from './usage-error.ts';

export const DEFAULT_SERVER = 'http://127.0.0.1:7373';

export interface Environment {
  readonly server: string;
  readonly token: string;
  readonly proxies: ProxySettings;
}

/** @throws UsageError naming every fault at once. */
export function parseEnvironment(env: CliContext['env']): Environment {
  const server = env.PARTWAY_SERVER?.trim() || DEFAULT_SERVER;
  const token = env.PARTWAY_TOKEN?.trim() ?? '';
  const { settings: proxies } = parseProxies(env);
  const wrongServer = serverFault(server);
  // The store's address, and so its proxy, is known only when the first part is signed.
  const wrongProxy = wrongServer === undefined ? proxies.faultFor(server) : undefined;
  const faults = [wrongServer, tokenFault(token), wrongProxy && `${wrongProxy.message}. ${wrongProxy.hint}`].filter(
    (fault) => fault !== undefined,
  );
  if (faults.length > 0)
    throw new UsageError(faults, 'Set what is named above and run the same command again; nothing was sent.');
  return { server: server.replace(/\/+$/, ''), token, proxies };
}

function serverFault(server: string): string | undefined {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    return `PARTWAY_SERVER must be a URL such as ${DEFAULT_SERVER}, not "${server}".`;
  }
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    return 'PARTWAY_SERVER must be an address only: no user, no "?" and no "#".';
  }
  return undefined;
}

function tokenFault(token: string): string | undefined {
  if (token === '') {
    return 'PARTWAY_TOKEN is not set. `partway serve` shows the token when it first starts, or says which file has it; ask whoever runs the server, then: export PARTWAY_TOKEN=…';
  }
  // A header cannot carry such a character. The value is secret, so the message must not repeat it.
  return /^[\x21-\x7e]+$/.test(token) ? undefined : 'PARTWAY_TOKEN contains a space or a character that no token has.';
}
