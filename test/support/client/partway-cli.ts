import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PARTWAY = fileURLToPath(new URL('../../../bin/partway.js', import.meta.url));

export interface CliOptions {
  readonly server: string;
  readonly token: string;
  readonly cwd?: string;
  /** The folder for the journal; by default a new empty one, because nothing may depend on the journal. */
  readonly stateHome?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs the CLI as another user; needs root. */
  readonly uid?: number;
  readonly gid?: number;
  /** A command, with its arguments, that runs the CLI: in a network namespace, for example. */
  readonly through?: readonly string[];
}

export interface CliResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Stdout's lines as JSON, for runs with --json. */
  readonly events: CliEvent[];
}

export interface CliEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface RunningCli {
  readonly child: ChildProcess;
  readonly finished: Promise<CliResult>;
  /** Resolves with the first matching event, past or future; rejects when the command ends without one. */
  event(fits: (event: CliEvent) => boolean): Promise<CliEvent>;
}

/** Starts the built CLI as a separate process, as a user would. */
export function startCli(args: readonly string[], options: CliOptions): RunningCli {
  const [command = '', ...rest] = [...(options.through ?? []), process.execPath, PARTWAY, ...args];
  const child = spawn(command, rest, {
    cwd: options.cwd ?? tmpdir(),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid }),
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LANG: 'C.UTF-8',
      XDG_STATE_HOME: options.stateHome ?? newStateHome(),
      PARTWAY_SERVER: options.server,
      PARTWAY_TOKEN: options.token,
      ...options.env,
    },
  });
  let stdout = '';
  let stderr = '';
  const events: CliEvent[] = [];
  const waiting = new Set<(event: CliEvent) => void>();
  let unread = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    const lines = (unread + text).split('\n');
    unread = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('{')) record(JSON.parse(line) as CliEvent);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  function record(event: CliEvent): void {
    events.push(event);
    for (const notify of waiting) notify(event);
  }
  const finished = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr, events }));
  });
  return {
    child,
    finished,
    event(fits) {
      const past = events.find(fits);
      if (past) return Promise.resolve(past);
      return new Promise((resolve, reject) => {
        const notify = (event: CliEvent) => {
          if (!fits(event)) return;
          waiting.delete(notify);
          resolve(event);
        };
        waiting.add(notify);
        void finished.then((result) =>
          reject(new Error(`the command ended first: ${result.exitCode}\n${result.stdout}\n${result.stderr}`)),
        );
      });
    },
  };
}

/** Runs the CLI to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).finished;
}

export function summaryOf(result: CliResult): CliEvent {
  const last = result.events.at(-1);
  if (last?.type !== 'summary') throw new Error(`no summary at the end:\n${result.stdout}\n${result.stderr}`);
  return last;
}

export function newStateHome(): string {
  return mkdtempSync(join(tmpdir(), 'partway-state-'));
}
