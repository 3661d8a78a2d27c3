import type { Status } from '../../session/machine.ts';

/** Usage of an owner, exact to the byte. */
export interface Usage {
  readonly openSessions: number;
  /** Sizes of the sessions that have not ended. */
  readonly reservedBytes: number;
  /** Sizes of the completed ones. */
  readonly settledBytes: number;
}

/** Usage of all owners. */
export interface Totals {
  /** Number of sessions in each status that is not final. */
  readonly unfinished: Readonly<Record<Exclude<Status, 'completed' | 'aborted' | 'expired'>, number>>;
  /** Sizes of the sessions that have not ended. */
  readonly reservedBytes: number;
  /** Sizes of the completed ones. */
  readonly settledBytes: number;
  /** Recorded parts of the sessions that have not ended: the bytes that they hold at the object store, as far as they were reported. */
  readonly heldBytes: number;
}

export interface UsageRecords {
  /** Returns zeros for an owner without sessions. */
  usageOf(owner: string): Promise<Usage>;

  /**
   * Cheap however long the history is, because sessions that ended are not read. Sums of bytes beyond 2^53 are rounded. Counts and sums may
   * be from different moments.
   */
  totals(): Promise<Totals>;
}
