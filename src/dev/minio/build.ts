import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { atExit } from '../process/at-exit.ts';
import { SetupError } from '../process/setup-error.ts';
import { cacheFolder, type Host } from '../process/user-folders.ts';
import { executableName, isExecutable } from './find-on-path.ts';

/** The last commit of the repository; compose.yaml builds the same one. No release contains it: images and binaries ended in autumn 2025. */
export const MINIO_VERSION = 'v0.0.0-20260212201848-7aac2a2c5b7c';
const PROGRESS_EVERY_MS = 5_000;
const KEPT_LINES = 15;

export type Log = (line: string) => void;

/** Path of the kept build. It contains the version, so a newer partway never runs an older build. */
export function builtMinioPath(host: Host): string {
  return join(cacheFolder(host), 'minio', MINIO_VERSION, executableName('minio', host));
}

/** Builds MinIO with the Go at `goPath` and returns the path of the executable. */
export async function buildMinio(goPath: string, host: Host, log: Log): Promise<string> {
  const target = builtMinioPath(host);
  const folder = join(target, '..');
  await mkdir(folder, { recursive: true });
  // Built in a folder of its own and then renamed: another process sees either no build or a complete one, and an interrupted build leaves
  // an empty folder at most. Two builds at once do the work twice (Go's own cache shares most of it), and the second rename replaces the
  // first result with an equal one.
  const workFolder = await mkdtemp(join(folder, '.building-'));
  try {
    await goInstall(goPath, workFolder, host, log);
    await moveInPlace(join(workFolder, executableName('minio', host)), target);
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
  return target;
}

async function moveInPlace(built: string, target: string): Promise<void> {
  try {
    await rename(built, target);
  } catch (error) {
    // Windows does not replace a running program: in that case another process has put the build there and started it.
    if (!(await isExecutable(target))) throw error;
  }
}

async function goInstall(goPath: string, workFolder: string, host: Host, log: Log): Promise<void> {
  log('Building MinIO from source. This takes about 3 minutes, once; the result is kept.');
  const startedAt = Date.now();
  // Without cgo the build needs no C compiler, and the same source gives the same program everywhere.
  const env = { ...host.env, GOBIN: workFolder, CGO_ENABLED: '0', GOWORK: 'off' };
  const go = spawn(goPath, ['install', '-v', `github.com/minio/minio@${MINIO_VERSION}`], {
    cwd: workFolder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    windowsHide: true,
  });
  const forget = atExit(() => go.kill());
  const progress = readProgress(go.stderr.setEncoding('utf8'));
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  const ticker = setInterval(() => log(`Building MinIO: ${seconds()} s, ${progress.describe()}`), PROGRESS_EVERY_MS);
  try {
    const code = await new Promise<number | null>((resolve, reject) => go.once('error', reject).once('close', resolve));
    if (code !== 0) throw new SetupError(`go install failed (exit code ${code}):\n${progress.lastLines()}`);
    log(`MinIO is built (${seconds()} s).`);
  } finally {
    clearInterval(ticker);
    forget();
  }
}

/** Counts the lines that `go install -v` writes: one for each module that it downloads and each package that it compiles. */
function readProgress(stderr: NodeJS.ReadableStream): { describe(): string; lastLines(): string } {
  let downloaded = 0;
  let compiled = 0;
  let unfinished = '';
  const recent: string[] = [];
  stderr.on('data', (text: string) => {
    const lines = (unfinished + text).split('\n');
    unfinished = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('go: downloading ')) downloaded += 1;
      else if (/^[\w.-]+(\/[\w.-]+)*$/.test(line)) compiled += 1;
    }
    recent.push(...lines);
    recent.splice(0, recent.length - KEPT_LINES);
  });
  return {
    describe: () => `${downloaded} modules downloaded, ${compiled} packages compiled`,
    lastLines: () => [...recent, unfinished].filter((line) => line !== '').join('\n'),
  };
}
