import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished, type TestContext } from 'vitest';
import { skipBecause } from '../skip-because.ts';

const run = promisify(execFile);

/** A folder on a disk that a test fills and frees again while a server uses it. */
export interface TestDisk {
  readonly folder: string;
  fill(serverPid: number): Promise<void>;
  makeRoom(serverPid: number): Promise<void>;
}

export interface SmallDisk extends TestDisk {
  /** Frees this many bytes, in pages of 4 KiB. */
  giveBack(bytes: number): void;
  makeReadOnly(): Promise<void>;
}

/** Mounts a real file system of 8 MiB in memory. Mounting needs root, or a host that lets other users mount. */
export async function mountSmallDisk(context: TestContext): Promise<SmallDisk> {
  const folder = mkdtempSync(join(tmpdir(), 'partway-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
  } catch (error) {
    rmSync(folder, { recursive: true });
    return skipBecause(context, `needs the right to mount a file system: ${(error as Error).message.trim()}`);
  }
  onTestFinished(async () => {
    await run('umount', [folder]);
    rmSync(folder, { recursive: true });
  });
  const filling = join(folder, 'filling');
  return {
    folder,
    fill: async () => {
      for (let size = 4 * 1024 * 1024; size >= 4096; size /= 2) appendWhileThereIsRoom(filling, Buffer.alloc(size));
    },
    makeRoom: async () => rmSync(filling),
    giveBack: (bytes) => truncateSync(filling, statSync(filling).size - bytes),
    makeReadOnly: async () => {
      await run('mount', ['-o', 'remount,ro', folder]);
    },
  };
}

function appendWhileThereIsRoom(path: string, bytes: Buffer): void {
  try {
    for (;;) writeFileSync(path, bytes, { flag: 'a' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/**
 * Simulates a full disk without the right to mount: limits the size of the files that the server writes. Only the soft limit is set, so
 * `makeRoom` can lift it.
 */
export async function limitedDisk(context: TestContext): Promise<TestDisk> {
  const folder = mkdtempSync(join(tmpdir(), 'partway-disk-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  if (process.platform !== 'linux') skipBecause(context, 'needs prlimit, which Linux has');
  const limit = async (pid: number, bytes: string) => {
    await run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:`]);
  };
  return { folder, fill: (pid) => limit(pid, '0'), makeRoom: (pid) => limit(pid, 'unlimited') };
}
