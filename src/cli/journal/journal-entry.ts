import type { SourceIdentity } from '../../client/source/byte-source.ts';
import { vouches } from '../../client/source/identity.ts';
import { isSessionId } from '../../contract/paths.ts';

/** How a run of this CLI on a session ended; `running` with a dead process counts as interrupted. */
export type RunOutcome = 'running' | 'completed' | 'interrupted' | 'stalled' | 'failed';

export interface JournalRun {
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly outcome: RunOutcome;
  readonly pid: number;
  /** Average while the link was up. Left out where too little was sent to tell. */
  readonly bytesPerSecond?: number;
}

/** What this machine remembers of one session. Only ever a convenience: the server and the object store know the truth. */
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
 * The checksums of the stored parts, if the file now is the very file they were computed of: same device, inode, size,
 * modification and change time. Otherwise none, and the file is read again; so it is for entries without a change time, of
 * earlier versions or of file systems that keep none.
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

/** What became known of the latest run. */
export function withLatestRun(entry: JournalEntry, known: Partial<JournalRun>): JournalEntry {
  const latest = entry.runs.at(-1);
  if (latest === undefined) return entry;
  return { ...entry, runs: [...entry.runs.slice(0, -1), { ...latest, ...known }] };
}

/** The outcome as it must be seen from here: nobody writes down that he was killed. */
export function outcomeSeen(run: JournalRun, isAlive: (pid: number) => boolean): RunOutcome {
  return run.outcome === 'running' && !isAlive(run.pid) ? 'interrupted' : run.outcome;
}

export function lastInstantOf(run: JournalRun): number {
  return Date.parse(run.endedAt ?? run.startedAt);
}

/** Only shape: a journal that somebody edited may say anything, and nothing depends on it. */
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
