import { execFile, spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { aFolder } from '../../support/client/sources.ts';
import { skipBecause } from '../../support/skip-because.ts';

const PARTWAY = fileURLToPath(new URL('../../../bin/partway.js', import.meta.url));
const run = promisify(execFile);

describe('without a home directory', () => {
  it('a user whom the system does not know gets the help, the version and errors in words', (context) => {
    if (process.getuid?.() !== 0) skipBecause(context, 'needs root, to run as a user that does not exist');
    const unknown = { uid: 3_123_456, gid: 3_123_456, cwd: '/', env: { PATH: process.env.PATH, LANG: 'C.UTF-8' } };
    const reading = ['-e', `require('node:fs').readFileSync(${JSON.stringify(PARTWAY)})`];
    if (spawnSync(process.execPath, reading, unknown).status !== 0)
      skipBecause(context, 'other users may not read this checkout');
    for (const [argv, code] of [
      [['--help'], 0],
      [['--version'], 0],
      [['upload', '--help'], 0],
      [['list'], 2],
      [['upload', 'x'], 2],
    ] as const) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [PARTWAY, ...argv], { ...unknown, encoding: 'utf8' });
      expect([argv[0], status, stderr]).toEqual([argv[0], code, expect.not.stringMatching(/^ {4}at /m)]);
      expect(stdout + stderr).not.toBe('');
    }
  });
});

describe('in a working directory that was deleted', () => {
  it('help and version work, and a relative path is explained', async () => {
    const folder = await aFolder();
    // The process enters the folder before it is removed, like a shell in another window.
    const script = 'cd gone && rmdir ../gone && exec "$0" "$1" "$2" "$3"';
    const inDeleted = async (...argv: string[]) => {
      await mkdir(join(folder, 'gone'), { recursive: true });
      const env = { PATH: process.env.PATH, LANG: 'C.UTF-8', PARTWAY_TOKEN: 'a-token', HOME: folder };
      return run('sh', ['-c', script, process.execPath, PARTWAY, ...argv], { cwd: folder, env }).catch((error) => error);
    };
    expect((await inDeleted('--version', '')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await inDeleted('--help', '')).stdout).toContain('Usage');
    const upload = await inDeleted('upload', 'a.mov');
    expect(upload.code).toBe(2);
    expect(upload.stderr).toBe(
      'error: The working directory was deleted, so "a.mov" leads nowhere.\n  Change to a folder that exists, or give the whole path.\n',
    );
  });
});
