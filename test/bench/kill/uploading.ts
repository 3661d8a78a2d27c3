import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { EXIT } from '../../../src/cli/errors/exit-codes.ts';
import { atExit } from '../../../src/dev/process/at-exit.ts';
import { answersOk } from '../../../src/dev/process/server-process.ts';
import { ensureGeneratedFile } from '../../../src/dev/quickstart/generated-file.ts';
import { type CliResult, startCli } from '../../support/client/partway-cli.ts';
import { hashOfFile } from '../../support/store/stored-bytes.ts';
import type { PlannedUpload } from './plan.ts';

/** One CLI process, from its start to its end. */
export interface Run {
  readonly exitCode: number | null;
  /** The error that it ended with; undefined if it succeeded. */
  readonly code: string | undefined;
  readonly words: string;
  /** Undefined if the run never got a session from the server. */
  readonly sessionId: string | undefined;
  readonly bytesSent: number;
  /** The reasons why parts were sent again. */
  readonly retries: readonly string[];
}

export interface Upload extends PlannedUpload {
  readonly hash: string;
  readonly runs: readonly Run[];
  readonly seconds: number;
}

export interface Uploader {
  readonly client: number;
  readonly server: string;
  readonly token: string;
  /** Holds the files. */
  readonly folder: string;
  /** Different seeds give different bytes. */
  readonly seed: number;
  /** Kills the commands that still run. */
  readonly giveUp: AbortSignal;
}

/** The smallest parts, because more parts mean more that can be lost. Only a few at a time, or none would arrive between two kills. */
const FLAGS = ['--strategy', 'multipart', '--part-size', '5MiB', '--concurrency', '2', '--json'];
const LOOK_AGAIN_MS = 300;

/** Creates the file and uploads it, and resumes once if the command ended early. */
export async function upload({ fileName, size }: PlannedUpload, uploader: Uploader): Promise<Upload> {
  const path = join(uploader.folder, fileName);
  await ensureGeneratedFile(path, size, `${fileName} ${uploader.seed}`);
  const hash = await hashOfFile(path);
  const startedAt = performance.now();
  const runs: Run[] = [];
  do {
    if (runs.length > 0) await untilReady(uploader);
    runs.push(await runOnce(path, uploader));
  } while (mayGoOn(runs) && !uploader.giveUp.aborted);
  await rm(path);
  return { fileName, size, hash, runs, seconds: (performance.now() - startedAt) / 1_000 };
}

/** A command that finds its server away may end (exit code 5), and is repeated; a command that has begun its upload must finish it. */
function mayGoOn(runs: readonly Run[]): boolean {
  if (runs.at(-1)?.exitCode === EXIT.ok) return false;
  return runs.filter((run) => !couldNotBegin(run)).length < 2;
}

export function couldNotBegin({ exitCode, sessionId }: Run): boolean {
  return exitCode === EXIT.temporary && sessionId === undefined;
}

async function untilReady({ server, giveUp }: Uploader): Promise<void> {
  while (!giveUp.aborted && !(await answersOk(`${server}/readyz`))) await wait(LOOK_AGAIN_MS);
}

async function runOnce(path: string, { client, server, token, folder, giveUp }: Uploader): Promise<Run> {
  const { child, finished } = startCli(['upload', path, ...FLAGS], {
    server,
    token,
    cwd: folder,
    stateHome: join(folder, `home-${client}`),
  });
  const kill = () => child.kill('SIGKILL');
  const forget = atExit(kill);
  giveUp.addEventListener('abort', kill);
  try {
    return runOf(await finished);
  } finally {
    giveUp.removeEventListener('abort', kill);
    forget();
  }
}

function runOf({ exitCode, signal, events, stderr }: CliResult): Run {
  const last = events.at(-1);
  const session = events.find(({ type }) => type === 'session')?.session as { sessionId: string } | undefined;
  const failed = last?.type === 'error';
  return {
    exitCode,
    code: exitCode === EXIT.ok ? undefined : String(failed ? last.code : (signal ?? 'no error reported')),
    words: failed ? String(last.message) : stderr.slice(-600),
    sessionId: session?.sessionId,
    retries: events.flatMap(({ type, reason }) => (type === 'retry' ? String(reason) : [])),
    bytesSent: last?.type === 'summary' ? Number(last.bytesSent) : 0,
  };
}
