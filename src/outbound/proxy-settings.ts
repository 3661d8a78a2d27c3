import { BlockList, isIP } from 'node:net';
import { UnusableProxy } from './proxy-failure.ts';

export interface HttpProxy {
  /** Scheme, host and port: what may be shown. */
  readonly origin: string;
  /** The header that shows name and password to the proxy. */
  readonly authorization: string | undefined;
}

export interface ProxySettings {
  readonly isAnySet: boolean;
  /** Undefined for a URL that is reached without a proxy. @throws UnusableProxy */
  proxyFor(url: string): HttpProxy | undefined;
  /** What keeps a URL from being reached: it would go through a proxy that cannot be used. */
  faultFor(url: string): UnusableProxy | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** First come, first taken. Lower case goes first, as in curl. */
const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  'http:': ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'],
  'https:': ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'],
};

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('0.0.0.0');
LOOPBACK.addAddress('::1', 'ipv6');
LOOPBACK.addAddress('::', 'ipv6');

/** Straight to every host. */
export const NO_PROXIES: ProxySettings = { isAnySet: false, proxyFor: () => undefined, faultFor: () => undefined };

/** For people: which way a URL is reached. Undefined where no proxy is set at all. @throws UnusableProxy */
export function describeWay({ isAnySet, proxyFor }: ProxySettings, url: string): string | undefined {
  if (!isAnySet) return undefined;
  const proxy = proxyFor(url);
  if (proxy === undefined) return 'without a proxy: none is set for it, it is on this machine, or NO_PROXY names it';
  return `through the proxy ${proxy.origin}`;
}

/**
 * Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case. As in curl, the variable of a protocol wins over
 * `ALL_PROXY`, and one that cannot be used (SOCKS, above all) matters only to URLs that would go through it.
 */
export function parseProxies(env: Environment): { readonly settings: ProxySettings } {
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
  /** Of the variable. */
  readonly name: string;
  /** Words that say why it cannot be used, where it cannot. */
  readonly proxy: HttpProxy | string;
}

function unusable(variable: string, fault: string, { protocol, hostname, origin }: URL, env: Environment): UnusableProxy {
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
  // `proxy:3128` is a usual way to write it, and would be read as the scheme `proxy:`.
  const full = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || url.hostname === '') return 'must be the URL of a proxy, such as http://proxy.example:3128';
  if (!/^https?:$/.test(url.protocol)) return 'must be the URL of an HTTP proxy (http:// or https://; SOCKS is not supported)';
  const authorization = basicAuthorization(url);
  if (authorization === null) return 'holds a name or a password with a % that begins no escape: write it as %25';
  return { origin: url.origin, authorization };
}

/** Null where the escapes of name or password are broken. */
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

/** Names are judged by themselves: none is resolved. */
function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost' || host.endsWith('.localhost');
  return isWithin(LOOPBACK, host);
}

/** IPv4 addresses in IPv6 form (`::ffff:7f00:1`) count as what they are. */
function isWithin(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

type IsExcepted = (host: string, port: string) => boolean;

/**
 * `NO_PROXY` as curl and Go read it: names with all names below them, addresses, networks, each with a port or without; `*` for
 * everything.
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

/** Undefined for what is no network in CIDR notation. */
function parseNetwork(entry: string): BlockList | undefined {
  const [, address = '', bits = ''] = /^(.*)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 6 ? 128 : 32)) return undefined;
  const network = new BlockList();
  network.addSubnet(address, Number(bits), family === 6 ? 'ipv6' : 'ipv4');
  return network;
}
