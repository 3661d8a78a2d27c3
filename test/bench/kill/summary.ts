import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GiB } from '../../../src/session/part-plan.ts';
import { type Inspection, resumedRuns } from './inspection.ts';
import type { Killing } from './killing.ts';
import { couldNotBegin, type Upload } from './uploading.ts';

export interface Outcome {
  readonly uploads: readonly Upload[];
  readonly killing: Killing;
  readonly inspection: Inspection;
  /** All bytes that clients sent to the store, headers included. */
  readonly bytesOnLink: number;
  /** Lines that the control planes logged as errors. */
  readonly loggedErrors: readonly LoggedError[];
}

interface LoggedError {
  /** The code of the problem in the answer, or the message of the log line. */
  readonly name: string;
  readonly words: string;
}

export function violationsOf({ killing, inspection, loggedErrors }: Outcome): string[] {
  // A database or a store that is away is expected, and has a code of its own.
  const unforeseen = loggedErrors.filter(({ name }) => name === 'INTERNAL').map(({ words }) => `INTERNAL: ${words}`);
  return [...killing.violations, ...inspection.violations, ...new Set(unforeseen)];
}

export function summarise(outcome: Outcome): string {
  const { uploads, killing, inspection, bytesOnLink, loggedErrors } = outcome;
  const completed = uploads.filter(({ runs }) => runs.at(-1)?.exitCode === 0);
  const bytes = completed.reduce((sum, { size }) => sum + size, 0);
  const seconds = completed.map((one) => one.seconds).sort((a, b) => a - b);
  const killed = [...killing.kills.values()].reduce((sum, count) => sum + count, 0);
  const refused = uploads.flatMap(({ runs }) => runs).filter(couldNotBegin);
  const resumed = resumedRuns(uploads);
  const violations = violationsOf(outcome);
  return [
    `uploads          ${completed.length} of ${uploads.length} completed, ${(bytes / GiB).toFixed(2)} GiB (${bytes} bytes)`,
    `time to complete ${round(seconds[Math.floor(seconds.length / 2)])} s in the middle, ${round(seconds.at(-1))} s at the longest`,
    `sent to MinIO    ${(bytesOnLink / bytes).toFixed(3)} times the files`,
    `sent again       ${describeCounts(count(uploads.flatMap(({ runs }) => runs.flatMap(({ retries }) => retries))))}`,
    `kills            ${killed}: ${describeCounts(killing.kills)}`,
    `                 ${killing.spared} spared, being down already; ${killing.failedStarts} starts tried again`,
    `could not begin  ${countByCode(refused)}`,
    `resumed          ${countByCode(resumed)}`,
    `healed           ${inspection.healed} sessions`,
    `swept            ${inspection.repaired} repaired, ${inspection.released} released; ${inspection.multipartFolders} upload folders left on MinIO's disk`,
    `logged errors    ${describeCounts(count(loggedErrors.map(({ name }) => name)))}`,
    `violations       ${violations.length}`,
    ...violations.map((violation) => `  - ${violation}`),
  ].join('\n');
}

function countByCode(runs: readonly { readonly code: string | undefined }[]): string {
  return `${runs.length} runs: ${describeCounts(count(runs.map(({ code }) => String(code))))}`;
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function describeCounts(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.length === 0 ? 'none' : sorted.map(([name, times]) => `${times} × ${name}`).join(', ');
}

function round(seconds: number | undefined): string {
  return seconds === undefined ? '–' : seconds.toFixed(0);
}

const ERROR_LEVEL = 50;

/** Reads the logs of all starts; a killed process may leave half a line. */
export function readLoggedErrors(folder: string): LoggedError[] {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return logs.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n')).flatMap(errorOf);
}

function errorOf(line: string): LoggedError[] {
  try {
    const { level, msg, code, err } = JSON.parse(line) as {
      level: number;
      msg: string;
      code?: string;
      err?: { message: string };
    };
    if (level < ERROR_LEVEL) return [];
    return [{ name: code ?? msg, words: `${msg} (${err?.message})` }];
  } catch {
    return [];
  }
}
