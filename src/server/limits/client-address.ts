import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
/** An address, and the number of its first bits that count. */
export type Network = readonly [Address, number];

const LOOPBACK: readonly Network[] = [
  [ipaddr.parse('127.0.0.0'), 8],
  [ipaddr.parse('::1'), 128],
];

/** Stands for the address of a socket that is closed already: it has none, and will not see the answer. */
export const UNKNOWN_ADDRESS = 'unknown';

/** @param text Addresses and CIDR blocks separated by commas, and the word `loopback`. @throws Error that names the item that is neither. */
export function parseNetworks(text: string): readonly Network[] {
  const names = text.split(',').map((name) => name.trim());
  return names
    .filter((name) => name !== '')
    .flatMap((name) => (name.toLowerCase() === 'loopback' ? LOOPBACK : [parseNetwork(name)]));
}

function parseNetwork(name: string): Network {
  const [text = '', prefix, ...more] = name.split('/');
  const written = parseAddress(text, { asWritten: true });
  const most = written?.kind() === 'ipv4' ? 32 : 128;
  const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (written === undefined || more.length > 0 || !(bits <= most))
    throw new Error(`"${name}" is neither an address nor a CIDR block`);
  return written instanceof ipaddr.IPv6 && written.isIPv4MappedAddress() && bits >= 96
    ? [written.toIPv4Address(), bits - 96]
    : [written, bits];
}

/** Reads IPv4 in four decimal numbers, or IPv6; also with a port or in brackets, as some proxies write them. */
function parseAddress(text: string, { asWritten = false } = {}): Address | undefined {
  const bare = text
    .trim()
    .replace(/^\[([^\]]*)\](?::\d{1,5})?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/, '$1')
    .replace(/%.*$/, '');
  // Other notations (0177.1, 2130706433) are legal for some parsers and not for others; no honest client or proxy sends them.
  const isAddress = bare.includes(':') ? ipaddr.IPv6.isValid(bare) : ipaddr.IPv4.isValidFourPartDecimal(bare);
  if (!isAddress) return undefined;
  return asWritten ? ipaddr.parse(bare) : ipaddr.process(bare);
}

export function isWithin(networks: readonly Network[], address: string): boolean {
  const parsed = parseAddress(address);
  return parsed !== undefined && contains(networks, parsed);
}

function contains(networks: readonly Network[], address: Address): boolean {
  return networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}

/**
 * Returns the address of the client that sent the request: the other end of the connection or, where that is a trusted proxy, the address that
 * it names. `X-Forwarded-For` grows to the right, so it is read from there, and only as far as trusted proxies wrote it. Where a proxy names no
 * address, the request counts as the proxy's own.
 */
export function clientAddress(peer: string | undefined, forwardedFor: string | undefined, trusted: readonly Network[]): string {
  let address = parseAddress(peer ?? '');
  if (address === undefined) return UNKNOWN_ADDRESS;
  for (const hop of forwardedFor?.split(',').reverse() ?? []) {
    if (!contains(trusted, address)) break;
    const named = parseAddress(hop);
    if (named === undefined) break;
    address = named;
  }
  return address.toString();
}

/** Returns the key that limits count by. A client with one IPv6 address has all 2^64 of its subnet (RFC 6177), so the subnet is one key. */
export function limitKey(address: string, ipv6Bits = 64): string {
  const parsed = parseAddress(address);
  if (!(parsed instanceof ipaddr.IPv6)) return parsed?.toString() ?? UNKNOWN_ADDRESS;
  const parts = parsed.parts.map((part, index) => part & groupMask(ipv6Bits - 16 * index));
  return `${new ipaddr.IPv6(parts).toString()}/${ipv6Bits}`;
}

/** Masks the first `bits` of a group of 16. */
function groupMask(bits: number): number {
  return 0xffff & (0xffff << (16 - Math.min(16, Math.max(0, bits))));
}

export function isIPv6(address: string): boolean {
  return parseAddress(address) instanceof ipaddr.IPv6;
}
