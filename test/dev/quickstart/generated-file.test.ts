import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';

async function aPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'partway-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'file.bin');
}

const SIZE = 9 * 1024 * 1024 + 7;

it('generates the same bytes every time, and leaves no unfinished file', async () => {
  const digests: string[] = [];
  for (const path of [await aPath(), await aPath()]) {
    await ensureGeneratedFile(path, SIZE);
    const bytes = await readFile(path);
    expect(bytes.length).toBe(SIZE);
    digests.push(createHash('sha256').update(bytes).digest('hex'));
    expect(await readdir(join(path, '..'))).toEqual(['file.bin']);
  }
  expect(digests[0]).toBe(digests[1]);
});

it('keeps a complete file and replaces one of another size', async () => {
  const path = await aPath();
  await ensureGeneratedFile(path, SIZE);
  const then = new Date('2020-01-01');
  await utimes(path, then, then);
  await ensureGeneratedFile(path, SIZE);
  expect((await stat(path)).mtime).toEqual(then);
  await writeFile(path, 'short');
  await ensureGeneratedFile(path, SIZE);
  expect((await stat(path)).size).toBe(SIZE);
});
