import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished, type TestContext } from 'vitest';
import { findMinio } from '../../../src/dev/minio/find.ts';
import { thisHost } from '../../../src/dev/process/user-folders.ts';
import { skipBecause } from '../skip-because.ts';

const SHIFTED_CLOCK = fileURLToPath(new URL('./shifted-clock.py', import.meta.url));

/** Returns the command that runs a program with its wall clock ahead by this many seconds. */
export function atShiftedClock(seconds: number, command: string, args: readonly string[]): [string, string[]] {
  return ['python3', [SHIFTED_CLOCK, String(seconds), command, ...args]];
}

/** Skips the test if this host cannot run a program with another clock. */
export function needsShiftedClock(context: Pick<TestContext, 'task' | 'skip'>): void {
  const [command, args] = atShiftedClock(86_400, process.execPath, ['-p', 'Date.now()']);
  const { stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (Number(stdout) - Date.now() > 43_200_000) return;
  skipBecause(
    context,
    `no program can be run with another clock here: ${error?.message ?? (stderr.trim() || 'it has the right one')}`,
  );
}

/** Returns this host with a MinIO whose clock `setClock` sets for the next start. */
export async function hostWithClock(context: Pick<TestContext, 'task' | 'skip'>) {
  const source = await findMinio(thisHost, () => {});
  if (source.kind !== 'binary') return skipBecause(context, 'needs a MinIO that is an executable here');
  const folder = mkdtempSync(join(tmpdir(), 'partway-clock-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const setClock = (seconds: number) => {
    const [command, args] = atShiftedClock(seconds, source.path, []);
    const script = `#!/bin/sh\nexec ${[command, ...args].map((word) => `'${word}'`).join(' ')} "$@"\n`;
    writeFileSync(join(folder, 'minio'), script);
    chmodSync(join(folder, 'minio'), 0o755);
  };
  setClock(0);
  const path = `${folder}:${thisHost.env.PATH ?? ''}`;
  return { host: { ...thisHost, env: { ...thisHost.env, PATH: path } }, setClock };
}
