import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMinio } from '../../src/dev/minio/minio.ts';
import { GiB, MiB } from '../../src/session/part-plan.ts';
import { startCli, summaryOf } from '../support/client/partway-cli.ts';
import { startControlPlane } from '../support/server/control-plane-process.ts';

/**
 * npm run bench:memory [-- 1 10 64]: peak memory of the client, and memory of the control plane, for sparse files of these sizes in GiB.
 * Linux only: it reads /proc. MinIO compresses what it stores, so sparse files need no room there either.
 */
export async function run(args: readonly string[]): Promise<void> {
  const sizes = (args.length > 0 ? args : ['1', '10']).map(Number);
  const folder = mkdtempSync(join(tmpdir(), 'partway-bench-'));
  const env = { MINIO_COMPRESSION_ENABLE: 'on', MINIO_COMPRESSION_EXTENSIONS: '.holes' };
  const minio = await startMinio({ log: console.error, bucket: 'uploads', env });
  const controlPlane = await startControlPlane({ store: minio, bucket: 'uploads' });
  console.log('| file | seconds | client peak RSS | control plane RSS before → after |\n|---|---|---|---|');
  try {
    for (const size of sizes) {
      const file = sparseFile(folder, size);
      const before = readStatus(controlPlane.pid, 'VmRSS');
      const cli = startCli(['upload', file, '--json', '--overwrite'], controlPlane);
      let peak = 0;
      // The kernel keeps the peak itself, so the last reading before the end is enough.
      const timer = setInterval(() => {
        peak = Math.max(peak, readStatus(cli.child.pid, 'VmHWM'));
      }, 50);
      const result = await cli.finished;
      clearInterval(timer);
      if (result.exitCode !== 0) throw new Error(result.stderr);
      const after = readStatus(controlPlane.pid, 'VmRSS');
      const seconds = Math.round(Number(summaryOf(result).seconds));
      console.log(`| ${size} GiB | ${seconds} | ${mib(peak)} | ${mib(before)} → ${mib(after)} |`);
      rmSync(file);
    }
  } finally {
    await controlPlane.stop();
    await minio.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function sparseFile(folder: string, gibibytes: number): string {
  const path = join(folder, 'film.holes');
  const fd = openSync(path, 'w');
  ftruncateSync(fd, gibibytes * GiB);
  closeSync(fd);
  return path;
}

/** Bytes; 0 once the process has ended. */
function readStatus(pid: number | undefined, field: 'VmHWM' | 'VmRSS'): number {
  try {
    const kib = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kib ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MiB)} MiB`;
}
