import { BlockList, isIP } from 'node:net';
import { UnusableProxy } from './proxy-failure.ts';

export interface HttpProxy {
  /** Scheme, host and port: the part of the URL that may be shown. */
  readonly origin: string;
  /** The header with user name and password for the proxy. */
  readonly authorization: string | undefined;
}

export interface ProxySettings {
  readonly isAnySet: boolean;
  /** Returns undefined for a URL that is reached without a proxy. @throws UnusableProxy */
  proxyFor(url: string): HttpProxy | undefined;
  /** Returns the fault if the URL would go through a proxy that cannot be used. */
  faultFor(url: string): UnusableProxy | undefined;
}

type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** Variables by protocol, the first one that is set wins. Lower case comes first, as in curl. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  'http:': ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'],
  'https:': ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'],
};

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('0.0.0.0');
LOOPBACK.addAddress('::1', 'ipv6');
LOOPBACK.addAddress('::', 'ipv6');

/** Settings without any proxy. */
export const NO_PROXIES: ProxySettings = { isAnySet: false, proxyFor: () => undefined, faultFor: () => undefined };

/** Describes for people how a URL is reached. Undefined if no proxy is set at all. @throws UnusableProxy */
export function describeWay({ isAnySet, proxyFor }: ProxySettings, url: string): string | undefined {
  if (!isAnySet) return undefined;
  const proxy = proxyFor(url);
  if (proxy === undefined) return 'without a proxy: none is set for it, it is on this machine, or NO_PROXY names it';
  return `through the proxy ${proxy.origin}`;
}

/**
 * Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case. As in curl, the variable of a protocol wins over
 * `ALL_PROXY`, and one that cannot be used (above all SOCKS) matters only to URLs that would go through it.
 */
export function parseProxies(env: ProxyEnvironment): { readonly settings: ProxySettings } {
  const ways = new Map<string, NamedProxy>();
  for (const [protocol, names] of Object.entries(VARIABLES)) {
    const name = names.find((candidate) => env[candidate]?.trim());
    if (name !== undefined) ways.set(protocol, { name, proxy: parseProxy(env[name]?.trim() ?? '') });
  }
  const isExcepted = parseExceptions(env.no_proxy?.trim() || env.NO_PROXY?.trim() || '');
  const wayTo = (url: string) => {
    const { protocol, hostname, port } = new URL(url);
    const host = bareHost(hostname);
    if (isLoopback(host) || isExcepted(host, port || (protocol === 'https:' ? '443' : '80'))) return undefined;
    return ways.get(protocol);
  };
  const faultFor = (url: string) => {
    const way = wayTo(url);
    return typeof way?.proxy === 'string' ? unusable(way.name, way.proxy, new URL(url), env) : undefined;
  };
  const proxyFor = (url: string) => {
    const proxy = wayTo(url)?.proxy;
    if (typeof proxy === 'string') throw faultFor(url);
    return proxy;
  };
  return { settings: { isAnySet: ways.size > 0, proxyFor, faultFor } };
}

interface NamedProxy {
  /** Name of the variable. */
  readonly name: string;
  /** The proxy, or the fault that makes it unusable. */
  readonly proxy: HttpProxy | string;
}

function unusable(variable: string, fault: string, { protocol, hostname, origin }: URL, env: ProxyEnvironment): UnusableProxy {
  const exceptions = env.no_proxy?.trim() ? 'no_proxy' : 'NO_PROXY';
  const before = env[exceptions]?.trim() ? `"$${exceptions},` : '';
  const without = `export ${exceptions}=${before}${bareHost(hostname)}${before && '"'}`;
  const [lower = '', upper = ''] = VARIABLES[protocol] ?? [];
  const through = `export ${env[lower]?.trim() ? lower : upper}=http://PROXY:PORT`;
  return new UnusableProxy(
    `${variable} ${fault}, and ${origin} would go through it`,
    variable,
    `To reach it without a proxy: ${without}   To go through an HTTP proxy: ${through}`,
  );
}

function parseProxy(text: string): HttpProxy | string {
  // `proxy:3128` is common, and would be read as the scheme `proxy:`.
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || url.hostname === '') return 'must be the URL of a proxy, such as http://proxy.example:3128';
  if (!/^https?:$/.test(url.protocol)) return 'must be the URL of an HTTP proxy (http:// or https://; SOCKS is not supported)';
  const authorization = basicAuthorization(url);
  if (authorization === null) return 'has a user name or a password with a % that begins no escape: write it as %25';
  return { origin: url.origin, authorization };
}

/** Returns null if an escape in user name or password is broken. */
function basicAuthorization({ username, password }: URL): string | undefined | null {
  if (username === '' && password === '') return undefined;
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(pair).toString('base64')}`;
  } catch {
    return null;
  }
}

function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

/** Judges a name without resolving it. */
function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost' || host.endsWith('.localhost');
  return isWithin(LOOPBACK, host);
}

/** Treats IPv4 addresses in IPv6 form (`::ffff:7f00:1`) as IPv4. */
function isWithin(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

type IsExcepted = (host: string, port: string) => boolean;

/**
 * Reads `NO_PROXY` as curl and Go do: names including all names below them, addresses and networks, each with or without a port; `*`
 * for everything.
 */
function parseExceptions(text: string): IsExcepted {
  const exceptions = text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(parseException);
  return (host, port) => exceptions.some((isExcepted) => isExcepted(host, port));
}

function parseException(entry: string): IsExcepted {
  if (entry === '*') return () => true;
  const network = parseNetwork(entry);
  if (network !== undefined) return (host) => isIP(host) !== 0 && isWithin(network, host);
  const [, named = entry, onlyPort] = isIP(entry) === 6 ? [] : (/^(.*?)(?::(\d+))?$/.exec(entry) ?? []);
  const name = bareHost(named).replace(/^\*?\./, '');
  return (host, port) => {
    if (onlyPort !== undefined && onlyPort !== port) return false;
    return host === name || (isIP(host) === 0 && host.endsWith(`.${name}`));
  };
}

/** Returns undefined if the entry is not a network in CIDR notation. */
function parseNetwork(entry: string): BlockList | undefined {
  const [, address = '', bits = ''] = /^(.*)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 6 ? 128 : 32)) return undefined;
  const network = new BlockList();
  network.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  return network;
}
