import { describe, expect, it } from 'vitest';
import { parseEnvironment } from '../../../src/cli/input/environment.ts';
import { UsageError } from '../../../src/cli/input/usage-error.ts';

describe('parseEnvironment', () => {
  it('has a default server, and drops a slash at the end', () => {
    expect(parseEnvironment({ PARTWAY_TOKEN: 'secret' })).toMatchObject({ server: 'http://127.0.0.1:7373', token: 'secret' });
    expect(parseEnvironment({ PARTWAY_TOKEN: ' secret\n', PARTWAY_SERVER: 'https://up.example/base/' })).toMatchObject({
      server: 'https://up.example/base',
      token: 'secret',
    });
  });

  it('names every fault at once, and where to get a token', () => {
    try {
      parseEnvironment({ PARTWAY_SERVER: 'localhost:7373' });
      expect.unreachable();
    } catch (error) {
      expect((error as UsageError).faults).toEqual([
        'PARTWAY_SERVER must be a URL such as http://127.0.0.1:7373, not "localhost:7373".',
        'PARTWAY_TOKEN is not set. `partway serve` shows the token when it first starts, or says which file has it; ask whoever runs the server, then: export PARTWAY_TOKEN=…',
      ]);
    }
  });

  it.each([['http://user:pw@host'], ['http://host/?a=b'], ['ftp://host']])('refuses %s', (server) => {
    expect(() => parseEnvironment({ PARTWAY_SERVER: server, PARTWAY_TOKEN: 'secret' })).toThrow(UsageError);
  });

  it('names a proxy variable that cannot work, and does not repeat its value', () => {
    const env = {
      PARTWAY_SERVER: 'https://control.test',
      PARTWAY_TOKEN: 'secret',
      HTTPS_PROXY: 'socks5://ann:pass@proxy.example',
    };
    expect(() => parseEnvironment(env)).toThrow(/^HTTPS_PROXY must be the URL of an HTTP proxy/);
    expect(() => parseEnvironment(env)).not.toThrow(/pass/);
  });

  it('accepts a SOCKS proxy in ALL_PROXY if the server is reached without it', () => {
    const env = { PARTWAY_TOKEN: 'secret', ALL_PROXY: 'socks5://proxy.example' };
    expect(parseEnvironment(env).server).toBe('http://127.0.0.1:7373');
    const control = { ...env, PARTWAY_SERVER: 'https://control.test' };
    expect(() => parseEnvironment(control)).toThrow(/^ALL_PROXY must be .* export NO_PROXY=control\.test /);
    expect(parseEnvironment({ ...control, NO_PROXY: 'control.test' }).server).toBe('https://control.test');
  });

  it('never repeats a token that it refuses', () => {
    expect(() => parseEnvironment({ PARTWAY_TOKEN: 'sec ret' })).toThrow(
      /^PARTWAY_TOKEN contains a space or a character that no token has\.$/,
    );
  });
});
