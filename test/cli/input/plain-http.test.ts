import { describe, expect, it } from 'vitest';
import { plainHttpWarning } from '../../../src/cli/input/plain-http.ts';
import { test } from '../../support/client/cli-test.ts';
import { aClosedPort } from '../../support/store/part-server.ts';

describe('a token over plain HTTP', () => {
  it.each([
    'http://192.168.1.20:7373',
    'http://10.0.0.5',
    'http://nas.local:7373',
    'http://[2001:db8::1]:7373',
    'http://100.128.0.1',
    'http://localhost.example.org',
    'http://127.example.org',
    'http://notts.net',
  ])('to %s is told: anyone on the way can read it', (server) => {
    expect(plainHttpWarning(server)).toContain(`the token goes to ${new URL(server).hostname} over plain HTTP`);
  });

  it.each([
    'http://127.0.0.1:7373',
    'http://127.1.2.3',
    'http://[::1]:7373',
    'http://localhost:7373',
    'http://partway.localhost',
    'https://192.168.1.20:7373',
    'http://100.64.0.1:7373',
    'http://100.127.255.254',
    'http://[fd7a:115c:a1e0::5]:7373',
    'http://studio.tail1234.ts.net:7373',
  ])('is no news for %s, which nobody on the way can read', (server) => {
    expect(plainHttpWarning(server)).toBeUndefined();
  });

  test('is reported once on stderr by every command that sends it, and by doctor', async ({ partway, makeFile }) => {
    await makeFile('a.mov', Buffer.from('bytes'));
    // Nothing listens there: the warning comes before the first request.
    const env = {
      LANG: 'C.UTF-8',
      PARTWAY_SERVER: `http://0.0.0.0:${await aClosedPort()}`,
      PARTWAY_TOKEN: 'a-token',
      XDG_STATE_HOME: '/nowhere',
    };
    for (const argv of [
      ['list'],
      ['status', 's'],
      ['verify', 's', 'a.mov'],
      ['abort', 's'],
      ['grant', 's'],
      ['resume', 's', 'a.mov', '--max-outage', '0s'],
      ['upload', 'a.mov', '--max-outage', '0s'],
    ]) {
      const { stderr, stdout } = await partway(argv, { env });
      expect(stderr.text.split('over plain HTTP')).toHaveLength(2);
      expect(stdout.text).toBe('');
      expect(stderr.text).not.toContain('a-token');
    }
    expect((await partway(['doctor'], { env })).stdout.text).toMatch(
      /^warn {2}the way to the server: the token goes to 0\.0\.0\.0/m,
    );
  });
});
