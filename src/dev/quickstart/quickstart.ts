/** `npm run quickstart`: from a fresh clone to a verified upload in one command. Uses only the built CLI, as a user would. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { S3Target } from '../minio/bucket.ts';
import { ensureControlPlaneAccount } from '../minio/control-plane-account.ts';
import { allowedOrigins } from '../minio/cors.ts';
import { type RunningMinio, startMinio } from '../minio/minio.ts';
import { SetupError } from '../process/setup-error.ts';
import { dataFolder } from '../process/user-folders.ts';
import { parseArguments, type QuickstartArguments, repeatCommand } from './arguments.ts';
import { lockFolder } from './folder-lock.ts';
import { ensureGeneratedFile } from './generated-file.ts';
import { type Interruption, listenForInterruption } from './interruption.ts';
import {
  describeKeptFiles,
  describeServing,
  describeStop,
  describeUnverified,
  describeUpload,
  type UploadSummary,
} from './messages.ts';
import { runPartway, startControlPlane } from './partway-command.ts';
import {
  chooseSettings,
  openFolder,
  type QuickstartFolder,
  type QuickstartSettings,
  readSettings,
  serverUrl,
} from './settings.ts';

const BUCKET = 'uploads';
const GENERATED_NAME = 'quickstart-1GiB.bin';
const GENERATED_SIZE = 1024 ** 3;

const say = (text: string) => process.stdout.write(`${text}\n`);

async function main(args: QuickstartArguments): Promise<number> {
  const folder = await openFolder(join(dataFolder(), 'quickstart'));
  const saved = await readSettings(folder);
  const lock = await lockFolder(folder, saved, say);
  try {
    const file = args.serve ? undefined : await fileToUpload(args.file, folder);
    const settings = await chooseSettings(folder, saved);
    return await withServers(folder, settings, lock.record, (interruption) =>
      file === undefined ? serve(folder, settings, interruption) : uploadAndVerify(file, args, settings, folder, interruption),
    );
  } finally {
    lock.release();
  }
}

async function fileToUpload(given: string | undefined, folder: QuickstartFolder): Promise<string> {
  if (given !== undefined) {
    // npm runs scripts in the project's folder; the user may have typed the path in another one.
    const file = resolve(process.env.INIT_CWD ?? '.', given);
    const found = await stat(file).catch(() => undefined);
    if (found === undefined)
      throw new SetupError(`There is no file ${file}. Check the path, or leave it out to upload a generated file.`);
    if (!found.isFile()) throw new SetupError(`${file} is not a file. Give the path of one file.`);
    return file;
  }
  const file = join(folder.path, GENERATED_NAME);
  say(`No file given: uploading a generated one of 1 GiB, ${file}`);
  await ensureGeneratedFile(file, GENERATED_SIZE);
  return file;
}

/** Runs `work` while MinIO and the control plane run, and then stops them, the control plane first. */
async function withServers(
  folder: QuickstartFolder,
  settings: QuickstartSettings,
  record: (servers: { minioPid?: number | undefined; serverPid?: number | undefined }) => Promise<void>,
  work: (interruption: Interruption) => Promise<number>,
): Promise<number> {
  const minio = await startMinio({
    dataDir: folder.objects,
    port: settings.minio.port,
    credentials: settings.minio,
    bucket: BUCKET,
    env: { MINIO_API_CORS_ALLOW_ORIGIN: allowedOrigins(serverUrl(settings.server.port), process.env.PARTWAY_CORS_ORIGINS) },
    log: say,
  });
  try {
    await record({ minioPid: minio.pid });
    const controlPlane = await startControlPlane(folder, settings, { ...(await accountAt(minio, settings)), bucket: BUCKET });
    say(`The control plane is ready at ${serverUrl(settings.server.port)}`);
    // From here on there may be an upload to pause; before this, Ctrl-C ends everything at once.
    const interruption = listenForInterruption();
    try {
      await record({ minioPid: minio.pid, serverPid: controlPlane.pid });
      return await work(interruption);
    } finally {
      await controlPlane.stop();
      interruption.stopListening();
    }
  } finally {
    await minio.stop();
  }
}

/** The control plane's account: a user of its own at a MinIO that was started here; otherwise the credentials that came with the endpoint. */
async function accountAt(minio: RunningMinio, { controlPlane }: QuickstartSettings): Promise<S3Target> {
  if (minio.dataDir === undefined) {
    const { endpoint, region, accessKeyId, secretAccessKey } = minio;
    return { endpoint, region, accessKeyId, secretAccessKey };
  }
  return ensureControlPlaneAccount(minio, { bucket: BUCKET, credentials: controlPlane });
}

async function uploadAndVerify(
  file: string,
  args: QuickstartArguments,
  settings: QuickstartSettings,
  folder: QuickstartFolder,
  interruption: Interruption,
): Promise<number> {
  const upload = await run(['upload', '--json', ...args.uploadOptions, file], settings, interruption, true);
  if (interruption.exitCode() !== undefined) {
    say(describeStop(repeatCommand(args)));
    return interruption.exitCode() ?? 1;
  }
  const summary = parseSummary(upload.lastLine);
  if (upload.exitCode !== 0 || summary?.status !== 'completed') {
    say(`\nThe upload did not complete (exit code ${upload.exitCode}). The control plane's log: ${folder.serverLog}`);
    return upload.exitCode || 1;
  }
  say(describeUpload(summary));
  const verify = await run(['verify', summary.sessionId, file], settings, interruption);
  if (interruption.exitCode() !== undefined) {
    say(describeUnverified(repeatCommand(args)));
    return interruption.exitCode() ?? 1;
  }
  if (verify.exitCode !== 0) return verify.exitCode;
  say(describeKeptFiles(folder));
  return 0;
}

async function serve(folder: QuickstartFolder, settings: QuickstartSettings, interruption: Interruption): Promise<number> {
  say(describeServing(folder, serverUrl(settings.server.port)));
  await new Promise<void>((stopped) => {
    // Signal listeners alone do not keep a process alive.
    const alive = setInterval(() => {}, 60_000);
    interruption.onInterrupt(() => {
      clearInterval(alive);
      stopped();
    });
  });
  return 0;
}

async function run(args: string[], settings: QuickstartSettings, interruption: Interruption, keepStdout = false) {
  const command = runPartway(args, settings, keepStdout);
  interruption.onInterrupt((signal) => {
    // A terminal sends Ctrl-C to the CLI as well; a second SIGINT would end the CLI at once.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) command.interrupt();
  });
  return command.result;
}

function parseSummary(line: string): UploadSummary | undefined {
  try {
    const event = JSON.parse(line) as UploadSummary & { type: string };
    return event.type === 'summary' ? event : undefined;
  } catch {
    return undefined;
  }
}

try {
  process.exitCode = await main(parseArguments(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(
    `\n${error instanceof SetupError ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exitCode = 1;
}
