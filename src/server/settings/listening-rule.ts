import ipaddr from 'ipaddr.js';

export interface Exposure {
  /** The value of PARTWAY_HOST. */
  readonly host: string;
  /** Whether a token is in the environment, or a valid one in the database. */
  readonly hasToken: boolean;
  readonly hasTls: boolean;
}

export interface Verdict {
  /** The reason why the server must not start, with a remedy. */
  readonly refusal?: string;
  readonly warning?: string;
}

/** Decides whether a server may listen on a host. On loopback it may, because only programs of this host reach it. */
export function judgeListening({ host, hasToken, hasTls }: Exposure): Verdict {
  if (isLoopbackHost(host)) return {};
  if (!hasToken) {
    const refusal = `PARTWAY_HOST is ${host}, where other hosts can connect, and there is no token yet: make one with \`partway token create\`, or set PARTWAY_TOKEN`;
    return { refusal };
  }
  if (hasTls) return {};
  const warning = `Tokens travel in clear text to ${host}: anyone on the way can read and use them. Set PARTWAY_TLS_CERT and PARTWAY_TLS_KEY, or listen only where a TLS proxy or a tailnet encrypts`;
  return { warning };
}

/** Accepts loopback addresses and localhost. Any other name may resolve to another address tomorrow, so it counts as reachable. */
export function isLoopbackHost(host: string): boolean {
  if (/^localhost\.?$/i.test(host)) return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback';
}
