import { describe, expect, it } from 'vitest';
import { isLoopbackHost, judgeListening } from '../../../src/server/settings/listening-rule.ts';

describe('a host to listen on', () => {
  it.each([
    '127.0.0.1',
    '127.8.9.10',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    'localhost',
    'LOCALHOST',
    'localhost.',
  ])('is loopback: %s', (host) => {
    expect(isLoopbackHost(host)).toBe(true);
  });

  it.each([
    '0.0.0.0',
    '::',
    '::ffff:0.0.0.0',
    '192.168.1.5',
    '100.64.0.1',
    '::ffff:192.168.1.5',
    'fe80::1',
    '128.0.0.1',
    'localhost.example.com',
    'my-laptop',
    '127.0.0.1.example.com',
  ])('can be reached by others: %s', (host) => {
    expect(isLoopbackHost(host)).toBe(false);
  });
});

describe('listening', () => {
  it('on loopback is allowed without token and TLS', () => {
    expect(judgeListening({ host: '127.0.0.1', hasToken: false, hasTls: false })).toEqual({});
  });

  it.each([true, false])('beyond loopback is refused without a token, with a remedy (TLS: %s)', (hasTls) => {
    const { refusal, warning } = judgeListening({ host: '0.0.0.0', hasToken: false, hasTls });
    expect(refusal).toMatch(/^PARTWAY_HOST is 0\.0\.0\.0.*`partway token create`.*PARTWAY_TOKEN/);
    expect(warning).toBeUndefined();
  });

  it('beyond loopback without TLS gets a warning with a remedy, in one line', () => {
    const { refusal, warning } = judgeListening({ host: '0.0.0.0', hasToken: true, hasTls: false });
    expect(refusal).toBeUndefined();
    expect(warning).toMatch(/clear text.*PARTWAY_TLS_CERT.*PARTWAY_TLS_KEY.*TLS proxy.*tailnet/);
    expect(warning).not.toContain('\n');
  });

  it('beyond loopback with a token and TLS is allowed', () => {
    expect(judgeListening({ host: '0.0.0.0', hasToken: true, hasTls: true })).toEqual({});
  });
});
