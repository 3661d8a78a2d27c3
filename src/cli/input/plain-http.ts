import { BlockList, isIP } from 'node:net';

/** Addresses that are reached without leaving this machine, or only inside Tailscale's encryption (100.64.0.0/10, fd7a:115c:a1e0::/48). */
const SAFE_ADDRESSES = new BlockList();
SAFE_ADDRESSES.addSubnet('127.0.0.0', 8);
SAFE_ADDRESSES.addAddress('::1', 'ipv6');
SAFE_ADDRESSES.addSubnet('100.64.0.0', 10);
SAFE_ADDRESSES.addSubnet('fd7a:115c:a1e0::', 48, 'ipv6');
const SAFE_NAMES = /(?:^|\.)localhost\.?$|\.ts\.net\.?$/i;

/** Warns if the token would go readable to another machine; undefined if not. Judges names as written, without resolving them. */
export function plainHttpWarning(server: string): string | undefined {
  const { protocol, hostname } = new URL(server);
  if (protocol !== 'http:') return undefined;
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  const family = isIP(address);
  const isSafe = family === 0 ? SAFE_NAMES.test(address) : SAFE_ADDRESSES.check(address, family === 6 ? 'ipv6' : 'ipv4');
  if (isSafe) return undefined;
  return `the token goes to ${hostname} over plain HTTP: anyone on the way can read it and upload with it. Serve HTTPS and set PARTWAY_SERVER to https://…, unless a VPN encrypts the way there`;
}
