import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { S3Target } from '../minio/bucket.ts';
import { atExit } from '../process/at-exit.ts';
import { answersOk, type ServerProcess, startServerProcess, untilReady } from '../process/server-process.ts';
import type { QuickstartFolder, QuickstartSettings } from './settings.ts';
import { serverUrl } from './settings.ts';

const PARTWAY = fileURLToPath(new URL('../../../bin/partway.js', import.meta.url));

/** Starts `partway serve`; it is ready when this resolves. */
export async function startControlPlane(
  folder: QuickstartFolder,
  { server }: QuickstartSettings,
  store: S3Target & { readonly bucket: string },
): Promise<ServerProcess> {
  const controlPlane = startServerProcess({
    name: 'The control plane',
    command: process.execPath,
    args: [PARTWAY, 'serve'],
    env: {
      ...withoutPartwaySettings(process.env),
      PARTWAY_HOST: '127.0.0.1',
      PARTWAY_PORT: String(server.port),
      PARTWAY_TOKEN: server.token,
      PARTWAY_DATABASE_URL: folder.database,
      PARTWAY_S3_ENDPOINT: store.endpoint,
      PARTWAY_S3_REGION: store.region,
      PARTWAY_S3_BUCKET: store.bucket,
      PARTWAY_S3_ACCESS_KEY_ID: store.accessKeyId,
      PARTWAY_S3_SECRET_ACCESS_KEY: store.secretAccessKey,
      PARTWAY_S3_STALE_UPLOADS_EXPIRY: '720h',
      ...corsOriginsOf(process.env),
    },
    secrets: [server.token, store.secretAccessKey],
    logFile: folder.serverLog,
  });
  await untilReady(controlPlane, () => answersOk(`${serverUrl(server.port)}/readyz`));
  return controlPlane;
}

export interface CommandResult {
  readonly exitCode: number;
  /** The last line on stdout, if stdout was kept. */
  readonly lastLine: string;
}

export interface RunningCommand {
  readonly result: Promise<CommandResult>;
  interrupt(): void;
}

/** Runs a command of the CLI in this terminal. With `keepStdout`, its stdout is captured, and its progress on stderr still shows. */
export function runPartway(args: readonly string[], { server }: QuickstartSettings, keepStdout = false): RunningCommand {
  const child = spawn(process.execPath, [PARTWAY, ...args], {
    env: { ...process.env, PARTWAY_SERVER: serverUrl(server.port), PARTWAY_TOKEN: server.token },
    stdio: ['inherit', keepStdout ? 'pipe' : 'inherit', 'inherit'],
    windowsHide: true,
  });
  const forget = atExit(() => child.kill());
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output = lastLines(output + text);
  });
  const result = new Promise<CommandResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ exitCode: code ?? 1, lastLine: output.trim().split('\n').at(-1) ?? '' }));
  }).finally(forget);
  return { result, interrupt: () => child.kill('SIGINT') };
}

/** Keeps the last lines only: a long upload writes an event a second, and only the last one is needed. */
function lastLines(text: string): string {
  return text.split('\n').slice(-3).join('\n');
}

/** Passes on the one setting that the quick start takes from its own environment; MinIO gets the same origins. */
function corsOriginsOf({ PARTWAY_CORS_ORIGINS }: NodeJS.ProcessEnv): Record<string, string> {
  return PARTWAY_CORS_ORIGINS === undefined ? {} : { PARTWAY_CORS_ORIGINS };
}

/** Keeps the user's settings for another control plane away from this one. */
function withoutPartwaySettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('PARTWAY_')));
}
