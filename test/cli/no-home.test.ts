import { describe, expect } from 'vitest';
import { TextCollector } from '../support/client/cli-run.ts';
import { test } from '../support/client/cli-test.ts';

describe('without a home directory', () => {
  test('an upload goes on, and says that it will not be remembered', async ({ server, partway, makeFile }) => {
    server.session = { ...server.session, size: 5, partSize: 5, partCount: 1, strategy: 'single' };
    await makeFile('a.mov', Buffer.from('bytes'));
    const env = { LANG: 'C.UTF-8', PARTWAY_SERVER: server.url, PARTWAY_TOKEN: 'a-token' };
    const context = { env, homeDirectory: undefined, stderr: new TextCollector() };
    const { exitCode, stderr } = await partway(['upload', 'a.mov'], context);
    expect(exitCode).toBe(0);
    expect(stderr.text.split('there is no home directory')).toHaveLength(2);
    expect(stderr.text).toContain('XDG_STATE_HOME');
  });

  test('there is no warning if XDG_STATE_HOME names a folder', async ({ server, partway, makeFile }) => {
    server.session = { ...server.session, size: 5, partSize: 5, partCount: 1, strategy: 'single' };
    await makeFile('a.mov', Buffer.from('bytes'));
    const { exitCode, stderr } = await partway(['upload', 'a.mov'], { homeDirectory: undefined });
    expect([exitCode, stderr.text.includes('home')]).toEqual([0, false]);
  });
});

describe('in a working directory that was deleted', () => {
  test('an absolute path still works', async ({ server, partway, makeFile }) => {
    server.session = { ...server.session, size: 5, partSize: 5, partCount: 1, strategy: 'single' };
    const path = await makeFile('a.mov', Buffer.from('bytes'));
    expect((await partway(['upload', path], { workingDirectory: undefined })).exitCode).toBe(0);
    expect((await partway(['resume', server.session.sessionId, 'a.mov'], { workingDirectory: undefined })).exitCode).toBe(2);
  });
});
