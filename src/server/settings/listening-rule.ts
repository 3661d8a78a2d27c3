import ipaddr from 'ipaddr.js';

export interface Exposure {
  /** As PARTWAY_HOST has it. */
  readonly host: string;
  /** From the environment, or alive in the database. */
  readonly hasToken: boolean;
  readonly hasTls: boolean;
}

export interface Verdict {
  /** Why the server must not start, and what to do. */
  readonly refusal?: string;
  readonly warning?: string;
}

/** Whether a server may listen there. On loopback it may: only programs of this machine reach it. */
export function judgeListening({ host, hasToken, hasTls }: Exposure): Verdict {
  if (isLoopbackHost(host)) return {};
  if (!hasToken) {
    const refusal = `PARTWAY_HOST is ${host}, where other machines can connect, and there is no token yet: make one with \`partway token create\`, or set PARTWAY_TOKEN`;
    return { refusal };
  }
  if (hasTls) return {};
  const warning = `Tokens travel in clear text to ${host}: anybody on the way can read and use them. Set PARTWAY_TLS_CERT and PARTWAY_TLS_KEY, or listen only where a TLS proxy or a tailnet encrypts`;
  return { warning };
}

/** Any other name may mean another address tomorrow, so it counts as reachable. */
export function isLoopbackHost(host: string): boolean {
  if (/^localhost\.?$/i.test(host)) return true;
  return ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback';
}
