import { describe, expect, it } from 'vitest';
import { describeWay, parseProxies } from '../../src/outbound/proxy-settings.ts';

const PROXY = 'http://proxy.example:3128';

function originFor(env: Record<string, string>, url: string): string | undefined {
  return parseProxies(env).settings.proxyFor(url)?.origin;
}

describe('the proxy of a URL', () => {
  it.each([
    [{ HTTP_PROXY: PROXY }, 'http://a.test/', PROXY],
    [{ http_proxy: PROXY }, 'http://a.test/', PROXY],
    [{ HTTP_PROXY: PROXY }, 'https://a.test/', undefined],
    [{ HTTPS_PROXY: PROXY }, 'https://a.test/', PROXY],
    [{ https_proxy: PROXY }, 'https://a.test/', PROXY],
    [{ HTTPS_PROXY: PROXY }, 'http://a.test/', undefined],
    [{ ALL_PROXY: PROXY }, 'http://a.test/', PROXY],
    [{ all_proxy: PROXY }, 'https://a.test/', PROXY],
    [{ ALL_PROXY: 'http://other.example', HTTPS_PROXY: PROXY }, 'https://a.test/', PROXY],
    [{ HTTPS_PROXY: 'http://other.example', https_proxy: PROXY }, 'https://a.test/', PROXY],
    [{ HTTPS_PROXY: ' ' }, 'https://a.test/', undefined],
    [{ HTTPS_PROXY: 'proxy.example:3128' }, 'https://a.test/', PROXY],
    [{ HTTPS_PROXY: 'https://proxy.example' }, 'https://a.test/', 'https://proxy.example'],
    [{ HTTPS_PROXY: 'http://ann:secret@proxy.example:3128/' }, 'https://a.test/', PROXY],
    [{}, 'https://a.test/', undefined],
  ])('with %j is, for %s, %s', (env: Record<string, string>, url, origin) => {
    expect(originFor(env, url)).toBe(origin);
  });

  it.each([
    'http://127.0.0.1:9000/',
    'http://127.9.9.9/',
    'https://localhost:7373/',
    'http://api.localhost/',
    'http://localhost./',
    'http://[::1]:9000/',
    'http://[::ffff:127.0.0.1]/',
    'http://0.0.0.0/',
    'http://2130706433/',
  ])('is none for this host: %s', (url) => {
    expect(originFor({ ALL_PROXY: PROXY }, url)).toBeUndefined();
  });

  it.each([
    ['*', 'https://a.test/', true],
    ['a.test', 'https://a.test/', true],
    ['A.Test', 'https://a.test/', true],
    ['a.test', 'https://b.a.test/', true],
    ['a.test', 'https://ba.test/', false],
    ['.a.test', 'https://b.a.test/', true],
    ['*.a.test', 'https://b.a.test/', true],
    ['x.test, a.test', 'https://a.test/', true],
    ['x.test a.test', 'https://a.test/', true],
    ['a.test:8443', 'https://a.test:8443/', true],
    ['a.test:8443', 'https://a.test/', false],
    ['a.test:443', 'https://a.test/', true],
    ['10.0.0.5', 'https://10.0.0.5/', true],
    ['0.0.5', 'https://10.0.0.5/', false],
    ['10.0.0.0/8', 'https://10.1.2.3/', true],
    ['10.0.0.0/8', 'https://11.1.2.3/', false],
    ['10.0.0.0/99', 'https://10.1.2.3/', false],
    ['fd00::/8', 'https://[fd12::1]/', true],
    ['fd12::1', 'https://[fd12::1]/', true],
    ['[fd12::1]:443', 'https://[fd12::1]/', true],
    ['', 'https://a.test/', false],
  ])('is not used, with NO_PROXY=%s, for %s: %s', (exceptions, url, isLeftOut) => {
    expect(originFor({ HTTPS_PROXY: PROXY, NO_PROXY: exceptions }, url)).toBe(isLeftOut ? undefined : PROXY);
    expect(originFor({ HTTPS_PROXY: PROXY, no_proxy: exceptions }, url)).toBe(isLeftOut ? undefined : PROXY);
  });

  it('gets user name and password without the escapes of the URL', () => {
    const { settings } = parseProxies({ HTTPS_PROXY: 'http://ann%40corp:p%3Aw@proxy.example:3128' });
    const { authorization = '' } = settings.proxyFor('https://a.test/') ?? {};
    expect(Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()).toBe('ann@corp:p:w');
  });
});

const SOCKS = 'socks5://ann:secret@proxy.example:1080';

describe('ALL_PROXY with a SOCKS proxy, set for other programs', () => {
  it.each([
    [{ ALL_PROXY: SOCKS, HTTPS_PROXY: PROXY }, 'https://a.test/', PROXY],
    [{ all_proxy: SOCKS, http_proxy: PROXY }, 'http://a.test/', PROXY],
    [{ ALL_PROXY: SOCKS, NO_PROXY: 'a.test' }, 'https://a.test/', undefined],
    [{ ALL_PROXY: SOCKS }, 'http://127.0.0.1:7373/', undefined],
    [{ ALL_PROXY: SOCKS }, 'https://localhost/', undefined],
  ])('does not matter if no request uses it: %j for %s', (env: Record<string, string>, url, origin) => {
    expect(originFor(env, url)).toBe(origin);
    expect(parseProxies(env).settings.faultFor(url)).toBeUndefined();
  });

  it.each([
    [
      { ALL_PROXY: SOCKS },
      'https://a.test:8443/x?y',
      /^ALL_PROXY must be .*SOCKS is not supported.*, and https:\/\/a\.test:8443 would go through it$/,
      /export NO_PROXY=a\.test {3}.*export HTTPS_PROXY=http:\/\/PROXY:PORT$/,
    ],
    [
      { all_proxy: SOCKS, HTTPS_PROXY: PROXY, NO_PROXY: 'b.test' },
      'http://a.test/',
      /^all_proxy must be/,
      /export NO_PROXY="\$NO_PROXY,a\.test" {3}.*export HTTP_PROXY=/,
    ],
    [
      { https_proxy: SOCKS, no_proxy: 'b.test' },
      'https://[fd12::1]/',
      /^https_proxy must/,
      /no_proxy="\$no_proxy,fd12::1" .* https_proxy=/,
    ],
  ])('is reported with what to type if a request uses it: %j for %s', (env: Record<string, string>, url, message, hint) => {
    const { faultFor, proxyFor } = parseProxies(env).settings;
    expect(faultFor(url)).toMatchObject({ message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
    expect(JSON.stringify(faultFor(url))).not.toContain('secret');
    expect(() => proxyFor(url)).toThrow(message);
  });
});

describe('a proxy variable that cannot work', () => {
  it.each(['http://', 'ht tp://ann:secret@x', 'socks5://ann:secret@x:1080', 'http://ann:secret%@x', 'http://x:99999'])(
    'is named, and its value is not shown: %s',
    (value) => {
      const fault = parseProxies({ HTTPS_PROXY: value }).settings.faultFor('https://a.test/');
      expect(fault?.message).toMatch(/^HTTPS_PROXY (must|has)/);
      expect(`${fault?.message}${fault?.hint}`).not.toContain('secret');
    },
  );
});

describe('the description of the route to a URL', () => {
  const { settings } = parseProxies({ HTTPS_PROXY: 'http://ann:secret@proxy.example:3128' });

  it('names the proxy, without user name and password', () => {
    expect(describeWay(settings, 'https://a.test/')).toBe('through the proxy http://proxy.example:3128');
    expect(describeWay(settings, 'https://localhost/')).toMatch(/^without a proxy/);
  });

  it('is absent if no proxy is set', () => {
    expect(describeWay(parseProxies({}).settings, 'https://a.test/')).toBeUndefined();
  });
});
