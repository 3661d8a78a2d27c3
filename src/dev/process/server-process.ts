import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { atExit } from './at-exit.ts';

export interface ServerCommand {
  /** For messages: "MinIO", "the control plane". */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Values that the output may contain, and that are never shown. */
  readonly secrets: readonly string[];
  /** Runs the server as another user; needs root. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Receives everything that the server writes, to be read after a failure. Each start begins a new file. */
  readonly logFile?: string;
}

export interface ServerProcess {
  readonly name: string;
  readonly pid: number | undefined;
  readonly running: boolean;
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Says how it ended, with the last lines that it wrote, for an error message. */
  describeEnd(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Sends SIGTERM, and SIGKILL to a process that does not end. Idempotent. */
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 15_000;
const KEPT_OUTPUT = 4_000;

/** Starts a server that ends with this process at the latest. */
export function startServerProcess({ name, command, args, env, secrets, user, logFile }: ServerCommand): ServerProcess {
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C in the terminal reaches only this process, which stops servers after their clients have finished.
    detached: process.platform !== 'win32',
    windowsHide: true,
    ...user,
  });
  let output = '';
  let end: string | undefined;
  const log = logFile === undefined ? undefined : createWriteStream(logFile, { mode: 0o600 });
  const keep = (text: string) => {
    output = (output + text).slice(-KEPT_OUTPUT);
    log?.write(text);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);

  const forget = atExit(() => child.kill('SIGKILL'));
  const ended = new Promise<void>((resolve) => {
    const settle = (how: string) => {
      end ??= how;
      forget();
      log?.end();
      resolve();
    };
    child.once('error', (error) => settle(`could not be started (${error.message})`));
    // 'close' instead of 'exit': by then all output has been read.
    child.once('close', (code, signal) => settle(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`));
  });
  const kill = async (signal: NodeJS.Signals) => {
    if (end === undefined) child.kill(signal);
    await ended;
  };

  return {
    name,
    ended,
    kill,
    get pid() {
      return child.pid;
    },
    get running() {
      return end === undefined && child.exitCode === null && child.signalCode === null;
    },
    describeEnd: () => `${name} ${end ?? 'is still running'}. ${describeOutput(output, secrets)}`,
    stop: async () => {
      const insist = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      await kill('SIGTERM').finally(() => clearTimeout(insist));
    },
  };
}

/** Resolves when `isReady` is true while the process lives. @throws ServerStartError with its output, after stopping it. */
export async function untilReady(server: ServerProcess, isReady: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (server.running && Date.now() < deadline) {
    if ((await isReady()) && server.running) return;
    await Promise.race([server.ended, sleep(50)]);
  }
  const reason = server.running ? `was not ready after ${timeoutMs / 1000} s` : 'did not start';
  await server.stop();
  throw new ServerStartError(`${server.name} ${reason}. ${server.describeEnd()}`);
}

export class ServerStartError extends Error {
  override readonly name = 'ServerStartError';
}

/** True for a 200, false for any other answer or none. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

function describeOutput(output: string, secrets: readonly string[]): string {
  const shown = secrets.reduce((text, secret) => text.replaceAll(secret, '***'), output.trim());
  return shown === '' ? 'It wrote nothing.' : `Its last output was:\n${shown.replace(/^/gm, '  | ')}`;
}
