import type { Journal } from './journal.ts';
import { type JournalEntry, type RunOutcome, withLatestRun } from './journal-entry.ts';

/** A fast upload stores many parts a second; the journal need not be saved for each. */
const SAVE_EVERY_MS = 1_000;

/** Records one run while it goes on. Saves one state after another, so that an older one never overwrites a newer one. */
export class JournalRecorder {
  readonly #journal: Journal;
  readonly #now: () => number;
  #entry: JournalEntry;
  #checksums: Record<string, string>;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void>;

  constructor(journal: Journal, entry: JournalEntry, now: () => number) {
    this.#journal = journal;
    this.#now = now;
    this.#entry = entry;
    this.#checksums = { ...entry.checksums };
    this.#saving = journal.save(entry);
  }

  /** Resolves when the start is saved: a run that is killed a moment later counts as interrupted. */
  begun(): Promise<void> {
    return this.#saving;
  }

  partStored(partNumber: number, checksum: string): void {
    this.#checksums[partNumber] = checksum;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#save();
    }, SAVE_EVERY_MS).unref();
  }

  /** Drops the checksums: they belong to parts of the earlier plan, and would vouch for other bytes. */
  replanned(partSize: number): void {
    this.#entry = { ...this.#entry, partSize };
    this.#checksums = {};
    this.#save();
  }

  /** Notes the bytes per second so far; saved with the next part. */
  measured(bytesPerSecond: number): void {
    if (bytesPerSecond >= 1) this.#entry = withLatestRun(this.#entry, { bytesPerSecond: Math.round(bytesPerSecond) });
  }

  /** Resolves when everything is saved, or saving has failed. */
  async end(outcome: RunOutcome): Promise<void> {
    clearTimeout(this.#timer);
    this.#entry = withLatestRun(this.#entry, { outcome, endedAt: new Date(this.#now()).toISOString() });
    this.#save();
    await this.#saving;
  }

  #save(): void {
    const entry = { ...this.#entry, checksums: { ...this.#checksums } };
    this.#saving = this.#saving.then(() => this.#journal.save(entry));
  }
}
