import type { Instant, StoredPart, UploadSession } from '../../session/session.ts';

export interface ClientReport {
  readonly sessionId: string;
  readonly generation: number;
  readonly clientId: string;
  readonly parts: readonly StoredPart[];
  readonly inFlightBytes: number;
  readonly bytesPerSecond: number;
  readonly at: Instant;
}

/** `session` is its state after the report. */
export type ReportAnswer =
  | { readonly outcome: 'recorded' | 'stale'; readonly session: UploadSession }
  | { readonly outcome: 'replaced' };

/** How many replaced clients of a session are remembered; a client from before these would take the session over again. */
export const REMEMBERED_CLIENTS = 100;

/** Records of the parts that the object store holds. */
export interface PartRecords {
  /** Returns the recorded parts of a generation, by part number. */
  listParts(sessionId: string, generation: number): Promise<StoredPart[]>;

  /**
   * Replaces the recorded parts of the generation with those that the object store holds. `at` is when the object store was asked, taken
   * *before* asking: a part reported after `at` is newer than the answer and stays as reported. Does not count as client activity.
   * Rejects if the generation has no upload on record.
   */
  replaceParts(sessionId: string, generation: number, parts: readonly StoredPart[], at: Instant): Promise<void>;

  /**
   * Records a client's report: adds its parts to those on record (a repeated number is replaced), and updates figures and activity.
   * `replaced` means that a client which first reported later than this one owns the session: nothing is recorded. A new client id takes
   * the session over. A report for another generation than the current one, or while that one has no upload on record, is `stale`: it
   * counts as activity (and a new client takes over), but its parts and figures are ignored. Rejects if there is no such session.
   * A power cut, or a crash of the database, may undo the last second of reports: the object store knows its parts, and is asked before
   * anything depends on them.
   */
  report(report: ClientReport): Promise<ReportAnswer>;
}
