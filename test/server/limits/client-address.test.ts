import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientAddress, isWithin, limitKey, parseNetworks } from '../../../src/server/limits/client-address.ts';

const PROXIES = parseNetworks('10.0.0.0/8, 2001:db8:1::/48, loopback');
const seed = Number(process.env.PARTWAY_TEST_SEED ?? Date.now());

describe('the address of a client', () => {
  it.each<[string, string | undefined, string | undefined, string]>([
    ['the other end, without a proxy', '192.0.2.7', undefined, '192.0.2.7'],
    ['the other end, whatever it says of others, unless it is trusted', '192.0.2.7', '198.51.100.1', '192.0.2.7'],
    ['who a trusted proxy names', '10.1.2.3', '198.51.100.1', '198.51.100.1'],
    ['the last that is no proxy, not what the client wrote before it', '10.1.2.3', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
    ['found through several proxies', '127.0.0.1', '198.51.100.1, 2001:db8:1::5, 10.0.0.9', '198.51.100.1'],
    ['the first proxy, where all are', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['the proxy that names no address', '10.0.0.1', '198.51.100.1, unknown', '10.0.0.1'],
    ['the nearest proxy that can be trusted, before garbage', '10.0.0.1', '198.51.100.1, <script>, 10.0.0.2', '10.0.0.2'],
    ['the proxy, where its header is empty', '10.0.0.1', '', '10.0.0.1'],
    ['IPv4, also when a socket for both maps it into IPv6', '::ffff:192.0.2.7', undefined, '192.0.2.7'],
    ['IPv4, also when a proxy writes it so', '::ffff:10.0.0.1', '::FFFF:c633:6401', '198.51.100.1'],
    ['without the port that some proxies add', '10.0.0.1', '198.51.100.1:4711', '198.51.100.1'],
    ['without the brackets and port of an IPv6 address', '10.0.0.1', '[2001:DB8::1]:443', '2001:db8::1'],
    ['without the zone of a link-local address', 'fe80::1%eth0', undefined, 'fe80::1'],
    ['not read from octal, hexadecimal or short numbers', '10.0.0.1', '0300.0.2.7', '10.0.0.1'],
    ['unknown for a socket that is gone', undefined, '198.51.100.1', 'unknown'],
  ])('is %s', (_, peer, forwardedFor, expected) => {
    expect(clientAddress(peer, forwardedFor, PROXIES)).toBe(expected);
  });

  it('cannot be chosen by the client, whatever it writes before what the proxy adds', () => {
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), fc.ipV4(), (written, client, peer) => {
        fc.pre(!isWithin(PROXIES, client) && !isWithin(PROXIES, peer));
        expect(clientAddress(peer, `${written}, ${client}`, PROXIES)).toBe(peer);
        expect(clientAddress('10.0.0.1', `${written},${client}`, PROXIES)).toBe(client);
      }),
      { seed },
    );
  });

  it('is the other end or named in the header, for any header and any proxies', () => {
    const hop = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.constantFrom('10.0.0.1', '127.0.0.1', '2001:db8:1::1'));
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), fc.array(hop), (peer, hops) => {
        const address = clientAddress(peer, hops.join(', '), PROXIES);
        const named = [peer, ...hops].map((name) => clientAddress(name.trim(), undefined, []));
        // fast-check writes commas into strings, too.
        const split = hops.flatMap((name) => name.split(',')).map((name) => clientAddress(name, undefined, []));
        expect([...named, ...split].filter((name) => name !== 'unknown')).toContain(address);
      }),
      { seed },
    );
  });
});

describe('the key that limits count by', () => {
  it('is a whole IPv6 subnet of 64 bits, or one IPv4 address', () => {
    expect(limitKey('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2::/64');
    expect(limitKey('2001:db8:1:2:ffff::')).toBe(limitKey('2001:db8:1:2::1'));
    expect(limitKey('2001:db8:1:3::1')).not.toBe(limitKey('2001:db8:1:2::1'));
    expect(limitKey('::ffff:192.0.2.7')).toBe('192.0.2.7');
    expect(limitKey('192.0.2.8')).not.toBe(limitKey('192.0.2.7'));
    expect(limitKey('unknown')).toBe('unknown');
  });

  it('is a larger network where that is asked for', () => {
    expect(limitKey('2001:db8:1:2f3:4:5:6:7', 56)).toBe('2001:db8:1:200::/56');
    expect(limitKey('2001:db8:1:2f3:4:5:6:7', 48)).toBe('2001:db8:1::/48');
    expect(limitKey('192.0.2.7', 56)).toBe('192.0.2.7');
  });
});

describe('networks', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['192.0.2.0/24', '::ffff:192.0.2.1', true],
    ['::ffff:192.0.2.0/120', '192.0.2.1', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '192.0.2.1', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['loopback', '127.8.9.10', true],
    ['Loopback', '::1', true],
    ['192.0.2.1, loopback ,', '127.0.0.1', true],
    ['', '127.0.0.1', false],
  ])('%j holds %s: %s', (networks, address, holds) => {
    expect(isWithin(parseNetworks(networks), address)).toBe(holds);
  });

  it.each([
    'proxy.example.com',
    '10.0.0.0/33',
    '2001:db8::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0',
    '10.0.0.0/-1',
    '10.0.0.0/0x8',
  ])('cannot be read from %j', (text) => {
    expect(() => parseNetworks(`loopback,${text}`)).toThrow(`"${text}"`);
  });
});
