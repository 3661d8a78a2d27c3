import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { test } from '../support/client/cli-test.ts';
import { endlessAnswer, hostileControlPlane, type Lie } from '../support/server/hostile-control-plane.ts';
import { aWireSession } from '../support/server/wire-sessions.ts';

async function lying(lies: Record<string, Lie>, stateHome = '/nowhere') {
  const { url } = await hostileControlPlane(lies);
  return { env: { LANG: 'C.UTF-8', PARTWAY_SERVER: url, PARTWAY_TOKEN: 'a-token', XDG_STATE_HOME: stateHome } };
}

describe('a server that lies', () => {
  test('cannot overwrite a file of the user by the id of a session', async ({ folder, partway, makeFile }) => {
    await mkdir(join(folder, '.docker'));
    const config = await makeFile('.docker/config.json', Buffer.from('{"auths":{}}'));
    await makeFile('a.mov', new Uint8Array(15 * 1024 ** 2));
    const overrides = await lying({ 'POST /api/uploads': { sessionId: '../../../.docker/config' } }, join(folder, 'state'));
    const { exitCode, stderr } = await partway(['upload', 'a.mov', '--network', 'reliable'], overrides);
    expect(exitCode).toBe(1);
    expect(stderr.text).toContain('"sessionId" cannot be the id of an upload session, and is "../../../.docker/config"');
    expect(stderr.text).not.toContain('bug');
    expect(await readFile(config, 'utf8')).toBe('{"auths":{}}');
    expect(await readdir(join(folder, 'state')).catch(() => [])).toEqual([]);
  });

  test.for<[string, (page: number) => object]>([
    ['repeats its cursor', () => ({ uploads: [aWireSession()], nextCursor: 'again' })],
    ['has empty pages', (page) => ({ uploads: [], nextCursor: `page-${page}` })],
  ])('ends no list where it %s: the command does', async ([, pageOf], { partway }) => {
    for (const flags of [['--all'], ['--all', '--json']]) {
      let pages = 0;
      const overrides = await lying({
        'GET /api/uploads': (_, response) => {
          pages += 1;
          response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(pageOf(pages)));
        },
      });
      const { exitCode, stderr } = await partway(['list', ...flags], overrides);
      expect(exitCode).toBe(1);
      expect(stderr.text).toContain('The list of sessions has no end');
      expect(pages).toBeLessThanOrEqual(3);
    }
  });

  test('makes every command end with an error in words, even if the body never ends', async ({ folder, partway }) => {
    await writeFile(join(folder, 'a.mov'), 'bytes');
    const overrides = await lying({
      'POST /api/uploads': endlessAnswer,
      'GET /api/uploads': endlessAnswer,
      'GET /api/uploads/{id}': endlessAnswer,
      'POST /api/uploads/{id}/capabilities': endlessAnswer,
    });
    const id = aWireSession().sessionId;
    for (const argv of [
      ['upload', 'a.mov'],
      ['resume', id, 'a.mov'],
      ['list'],
      ['status', id],
      ['verify', id, 'a.mov'],
      ['abort', id],
      ['grant', id],
    ]) {
      const { exitCode, stderr } = await partway(argv, overrides);
      expect([argv[0], exitCode]).toEqual([argv[0], 1]);
      expect(stderr.text).toContain('gave an answer that cannot be: it has more than');
      expect(stderr.text).not.toContain('bug');
    }
  });
});
