import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { publint } from 'publint';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeCrc32 } from '../../../src/session/crc32.ts';
import { MiB } from '../../../src/session/part-plan.ts';
import { seededBytes } from '../../support/client/sources.ts';
import { startControlPlane } from '../../support/server/control-plane-process.ts';
import { createTestBucket, sharedMinio } from '../../support/store/minio.ts';
import { hashOfFile, hashOfObject } from '../../support/store/stored-bytes.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Writes the README's program into the package, where `partway/client` resolves to the output of `npm run build`. */
function readmeExample(): string {
  const code = /```js\n(import [^`]*partway\/client(?:[^`]|`(?!``))*)```/.exec(
    readFileSync(join(ROOT, 'README.md'), 'utf8'),
  )?.[1];
  if (code === undefined) throw new Error('README.md has no example that imports partway/client');
  const path = join(ROOT, 'dist', `readme-example-${process.pid}.mjs`);
  writeFileSync(path, code);
  onTestFinished(() => rmSync(path));
  return path;
}

describe('the library', () => {
  it('uploads a file with the README program, which has about 20 lines', async () => {
    const example = readmeExample();
    expect(readFileSync(example, 'utf8').trim().split('\n').length).toBeLessThanOrEqual(22);
    const bucket = await createTestBucket();
    const controlPlane = await startControlPlane({ store: sharedMinio(), bucket });
    const folder = mkdtempSync(join(tmpdir(), 'partway-sdk-'));
    onTestFinished(async () => {
      await controlPlane.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const file = join(folder, 'film.mp4');
    const bytes = seededBytes(20 * MiB, 20);
    writeFileSync(file, bytes);

    const { stdout } = await run(process.execPath, [example, controlPlane.server, controlPlane.token, file]);
    expect(stdout).toContain(`${bytes.length} of ${bytes.length} bytes are stored`);
    expect(stdout).toContain(`${bucket}/raw/film.mp4 has the CRC32 ${encodeCrc32(crc32(bytes))}`);
    expect(await hashOfObject(sharedMinio(), bucket, 'raw/film.mp4')).toBe(await hashOfFile(file));

    const refused = await run(process.execPath, [example, controlPlane.server, 'not-the-token', file]).catch((error) => error);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('UNAUTHORIZED') });
  });

  it('has types with which a program compiles', async () => {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const flags = [
      '--noEmit',
      '--ignoreConfig',
      '--allowJs',
      '--checkJs',
      '--strict',
      '--noImplicitAny',
      'false',
      '--module',
      'nodenext',
      '--types',
      'node',
    ];
    const { stdout } = await run(process.execPath, [tsc, ...flags, readmeExample()], { cwd: ROOT }).catch((error) => error);
    expect(stdout).toBe('');
  });

  it('is a package whose declared exports can be imported', async () => {
    const { messages } = await publint({ pkgDir: ROOT, pack: false, strict: true });
    expect(messages).toEqual([]);
  });
});
