import { type PartPlan, partLength, partRange } from '../../session/part-plan.ts';
import type { EngineEvent } from '../progress/events.ts';
import type { ByteSource } from './byte-source.ts';
import { checksumOfRange } from './checksum.ts';
import { isUnchanged } from './identity.ts';
import type { Readings } from './readings.ts';
import { keepsChanging, partChanged } from './source-changes.ts';

/** Most comparisons at the end of an upload. After more, something changes the file all the time. */
export const MOST_COMPARISONS = 5;

export interface RereaderOptions {
  readonly source: ByteSource;
  readonly plan: PartPlan;
  readonly readings: Readings;
  readonly onEvent: (event: EngineEvent) => void;
}

/** Notices that a source may have changed, and reads its parts again: beside the sending, and before the end. */
export class Rereader {
  readonly #options: RereaderOptions;
  #identity;
  #wake = () => {};

  constructor(options: RereaderOptions) {
    this.#options = options;
    this.#identity = options.source.identity;
  }

  /** The identity of the source at the latest look. */
  get identity() {
    return this.#identity;
  }

  /** @throws UploadError `SOURCE_CHANGED` if the source cannot be what was opened. */
  async look(): Promise<void> {
    const { source, readings, onEvent } = this.#options;
    const now = await source.identify();
    if (isUnchanged(this.#identity, now)) return;
    this.#identity = now;
    readings.beginEpoch();
    onEvent({ type: 'rereading', reason: 'times-changed' });
    this.#wake();
  }

  /** Call when a part was stored or read: it may be stale already. */
  notify(): void {
    this.#wake();
  }

  /** Reads stale parts again until `work` has ended. `finish` reads the rest. */
  async beside(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
    let isOver = false;
    const over = () => {
      isOver = true;
      this.#wake();
    };
    work.then(over, over);
    while (!isOver) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const [partNumber] = this.#options.readings.stale();
      if (partNumber === undefined) await woken;
      else await this.#read(partNumber, signal);
    }
  }

  /**
   * Resolves when the source was seen unchanged since every part was read, or read again. A source without a change time may have
   * changed unnoticed, so all of it is read again now, after the last part was sent: the later, the less can slip through.
   * @throws UploadError `SOURCE_CHANGED` if a part has different bytes than were sent, or if the source keeps changing.
   */
  async finish(signal: AbortSignal): Promise<void> {
    const { source, readings } = this.#options;
    if (source.identity.ctimeNs === undefined) readings.beginEpoch();
    for (let comparisons = 0; ; comparisons++) {
      await this.look();
      // Answers to parts overtake each other; disks are fastest in the order of the file.
      const stale = [...readings.stale()].sort((a, b) => a - b);
      if (stale.length === 0) return;
      if (comparisons === MOST_COMPARISONS) throw keepsChanging(source);
      await this.#compare(stale, signal);
    }
  }

  async #compare(partNumbers: readonly number[], signal: AbortSignal): Promise<void> {
    const { source, plan, onEvent } = this.#options;
    const length = (partNumber: number) => partLength(plan, source.size, partNumber);
    const totalBytes = partNumbers.reduce((sum, partNumber) => sum + length(partNumber), 0);
    let verifiedBytes = 0;
    for (const partNumber of partNumbers) {
      await this.#read(partNumber, signal);
      verifiedBytes += length(partNumber);
      onEvent({ type: 'verifying', verifiedBytes, totalBytes });
    }
  }

  async #read(partNumber: number, signal: AbortSignal): Promise<void> {
    const { source, plan, readings } = this.#options;
    signal.throwIfAborted();
    const { epoch } = readings;
    const { start, end } = partRange(plan, source.size, partNumber);
    const checksum = await checksumOfRange(source, start, end, { signal });
    if (!readings.record(partNumber, checksum, epoch)) throw partChanged(source, partNumber);
  }
}
