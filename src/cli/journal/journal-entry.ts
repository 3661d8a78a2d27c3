import type { SourceIdentity } from '../../client/source/byte-source.ts';
import { vouches } from '../../client/source/identity.ts';
import { isSessionId } from '../../contract/paths.ts';

/** The end of a run of this CLI on a session; `running` with a dead process counts as interrupted. */
export type RunOutcome = 'running' | 'completed' | 'interrupted' | 'stalled' | 'failed';

export interface JournalRun {
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly outcome: RunOutcome;
  readonly pid: number;
  /** Average while the link was up. Absent if too little was sent to measure. */
  readonly bytesPerSecond?: number;
}

/** This machine's memory of one session. Only a convenience: the server and the object store know the truth. */
export interface JournalEntry extends SourceIdentity {
  readonly version: 1;
  readonly server: string;
  readonly sessionId: string;
  /** Absolute. */
  readonly path: string;
  /** The part plan that the checksums belong to. */
  readonly partSize: number;
  /** Part number → base64 CRC32 of the part as it was sent. */
  readonly checksums: Readonly<Record<string, string>>;
  readonly runs: readonly JournalRun[];
}

const KEPT_RUNS = 20;

/**
 * Returns the checksums of the stored parts if the file is still the one they were computed from: same device, inode, size,
 * modification and change time. Otherwise none, and the file is read again. The same applies to entries without a change time, from
 * earlier versions or from file systems that keep none.
 */
export function knownChecksums(
  entry: JournalEntry | undefined,
  now: SourceIdentity,
  partSize: number,
): ReadonlyMap<number, string> {
  if (entry === undefined || entry.partSize !== partSize || !vouches(entry, now)) return new Map();
  return new Map(Object.entries(entry.checksums).map(([partNumber, checksum]) => [Number(partNumber), checksum]));
}

export function withRunStarted(entry: JournalEntry, run: Pick<JournalRun, 'startedAt' | 'pid'>): JournalEntry {
  return { ...entry, runs: [...entry.runs.slice(1 - KEPT_RUNS), { ...run, outcome: 'running' }] };
}

/** Adds what became known about the latest run. */
export function withLatestRun(entry: JournalEntry, known: Partial<JournalRun>): JournalEntry {
  const latest = entry.runs.at(-1);
  if (latest === undefined) return entry;
  return { ...entry, runs: [...entry.runs.slice(0, -1), { ...latest, ...known }] };
}

/** The outcome as seen from another process: a killed client cannot record that it was killed. */
export function outcomeSeen(run: JournalRun, isAlive: (pid: number) => boolean): RunOutcome {
  return run.outcome === 'running' && !isAlive(run.pid) ? 'interrupted' : run.outcome;
}

export function lastInstantOf(run: JournalRun): number {
  return Date.parse(run.endedAt ?? run.startedAt);
}

/** Checks the shape only: an edited journal may contain anything, and nothing depends on its values. */
export function isJournalEntry(value: unknown): value is JournalEntry {
  if (typeof value !== 'object' || value === null) return false;
  const entry = value as Record<string, unknown>;
  return (
    entry.version === 1 &&
    isSessionId(entry.sessionId) &&
    ['server', 'path'].every((name) => typeof entry[name] === 'string') &&
    ['size', 'mtimeMs', 'device', 'inode', 'partSize'].every((name) => typeof entry[name] === 'number') &&
    (entry.ctimeNs === undefined || typeof entry.ctimeNs === 'string') &&
    isRecordOfStrings(entry.checksums) &&
    Array.isArray(entry.runs) &&
    entry.runs.every(isRun)
  );
}

function isRecordOfStrings(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string');
}

function isRun(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const run = value as Record<string, unknown>;
  return (
    typeof run.startedAt === 'string' &&
    typeof run.outcome === 'string' &&
    typeof run.pid === 'number' &&
    (run.bytesPerSecond === undefined || (typeof run.bytesPerSecond === 'number' && run.bytesPerSecond > 0))
  );
}
