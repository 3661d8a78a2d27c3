import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const PREFIX = 'partway-run-';
/** Longer than any run takes. */
const LEFT_BEHIND_MS = 6 * 3_600_000;
/** About twice the measured peak of a run (3.2 GiB). Large files always go to the disk (`aLargeFolder`). */
const NEEDED_BYTES = 6 * 1024 ** 3;

/**
 * Keeps the temporary data of this run in memory if there is enough, because the tests sync many small files. Returns a function that
 * removes the data, including everything that killed processes left there.
 */
export function useTemporaryFolder(): () => void {
  if (!isMemoryFit()) return () => {};
  removeLeftBehind();
  const folder = mkdtempSync(join(MEMORY, PREFIX));
  // PostgreSQL runs as a separate user.
  chmodSync(folder, 0o711);
  process.env.PARTWAY_TEST_DISK = tmpdir();
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** A container's `/dev/shm` often has 64 MiB, and may not hold programs. */
function isMemoryFit(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (Math.min(bavail * bsize, process.availableMemory()) < NEEDED_BYTES) return false;
    return canHoldPrograms();
  } catch {
    return false;
  }
}

function canHoldPrograms(): boolean {
  const folder = mkdtempSync(join(MEMORY, 'partway-try-'));
  try {
    const program = join(folder, 'program');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 });
    execFileSync(program);
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Removes the data of this user's killed runs. */
function removeLeftBehind(): void {
  for (const name of readdirSync(MEMORY).filter((each) => each.startsWith(PREFIX))) {
    const folder = join(MEMORY, name);
    const stats = statSync(folder, { throwIfNoEntry: false });
    const isLeftBehind = stats?.uid === process.getuid?.() && Date.now() - Number(stats?.mtimeMs) > LEFT_BEHIND_MS;
    if (isLeftBehind) rmSync(folder, { recursive: true, force: true });
  }
}
