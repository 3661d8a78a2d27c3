import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished, type TestContext, vi } from 'vitest';
import { type FileSystemType, hasChangeTime } from '../../../src/client/source/change-time.ts';
import { skipBecause } from '../skip-because.ts';

const run = promisify(execFile);

/** Detectors that report the same file system for every path. */
export const FILE_SYSTEMS = {
  ext4: () => Promise.resolve(0xef53n),
  vfat: () => Promise.resolve(0x4d44n),
} satisfies Record<string, FileSystemType>;

/** Skips a test of the whole command, which asks the system itself, if the temporary folder has no reliable change time. */
export async function needsChangeTime(context: Pick<TestContext, 'task' | 'skip'>): Promise<void> {
  if (!(await hasChangeTime(tmpdir()))) skipBecause(context, `${tmpdir()} is on a file system without a change time to rely on`);
}

/** Mounts a folder in which the change time of every file equals its modification time, as FAT's drivers report it. */
export async function mountWithoutChangeTime(context: TestContext): Promise<string> {
  const parent = aParent();
  const [contents, folder] = [join(parent, 'contents'), join(parent, 'mounted')];
  for (const path of [contents, folder]) await mkdir(path);
  const bindfs = spawn('bindfs', ['-f', '--ctime-from-mtime', contents, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  bindfs.stderr.on('data', (text) => {
    output += text;
  });
  let isOver = false;
  const ended = once(bindfs, 'close')
    .catch((error: Error) => {
      output = error.message;
    })
    .finally(() => {
      isOver = true;
    });
  const { dev } = await stat(parent);
  await vi.waitUntil(async () => isOver || (await stat(folder)).dev !== dev, { timeout: 10_000 });
  if (isOver) skipBecause(context, `needs bindfs, /dev/fuse and the right to mount: ${output.trim()}`);
  onTestFinished(async () => {
    await run('umount', [folder]);
    await ended;
  });
  return folder;
}

/** Mounts a real FAT file system from an image. */
export async function mountFat(context: TestContext): Promise<string> {
  if (!/\bvfat$/m.test(readKnownFileSystems())) skipBecause(context, 'the kernel has no vfat');
  const parent = aParent();
  const [image, folder] = [join(parent, 'card.img'), join(parent, 'card')];
  await mkdir(folder);
  try {
    await run('mkfs.vfat', ['-C', image, String(128 * 1024)], { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    await run('mount', ['-o', 'loop', image, folder]);
  } catch (error) {
    skipBecause(context, `needs mkfs.vfat and the right to mount: ${(error as Error).message.trim()}`);
  }
  onTestFinished(async () => {
    await run('umount', [folder]);
  });
  return folder;
}

function readKnownFileSystems(): string {
  return process.platform === 'linux' ? readFileSync('/proc/filesystems', 'utf8') : '';
}

function aParent(): string {
  const parent = mkdtempSync(join(tmpdir(), 'partway-mount-'));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  return parent;
}
