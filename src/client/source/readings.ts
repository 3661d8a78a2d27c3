/**
 * The CRC32s of a source's parts, and in which *epoch* each part was read. An epoch ends when the source may have changed:
 * readings of earlier epochs are stale, and those parts are read again before the upload may complete. Then every part is known
 * to have been the same before and after one moment, the beginning of the last epoch, and the object is the file of that moment.
 * Pure: reads nothing itself.
 */
export class Readings {
  readonly #checksums: Map<number, string>;
  /** Epoch of the latest reading, by part number. */
  readonly #readIn = new Map<number, number>();
  readonly #stored = new Set<number>();
  #epoch = 0;

  /** @param known CRC32 (base64) by part number, of the source as it is when this run begins. */
  constructor(known: ReadonlyMap<number, string> = new Map()) {
    this.#checksums = new Map(known);
    for (const partNumber of known.keys()) this.#readIn.set(partNumber, 0);
  }

  /** The CRC32 of every part that was read, however long ago. */
  get checksums(): ReadonlyMap<number, string> {
    return this.#checksums;
  }

  /** The CRC32 of the parts whose reading is still valid. */
  get current(): ReadonlyMap<number, string> {
    return new Map([...this.#checksums].filter(([partNumber]) => !this.#isStale(partNumber)));
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Call when the source may have changed: everything read so far has to be read again. */
  beginEpoch(): void {
    this.#epoch += 1;
  }

  /** Call with each listing of the store: the parts that it holds. */
  startRound(stored: Iterable<number>): void {
    this.#stored.clear();
    for (const partNumber of stored) this.#stored.add(partNumber);
  }

  markStored(partNumber: number): void {
    this.#stored.add(partNumber);
  }

  /** Records a reading that began in `epoch`. Returns false if an earlier one found other bytes: the source has changed. */
  record(partNumber: number, checksum: string, epoch: number): boolean {
    const before = this.#checksums.get(partNumber);
    if (before !== undefined && before !== checksum) return false;
    this.#checksums.set(partNumber, checksum);
    this.#readIn.set(partNumber, Math.max(epoch, this.#readIn.get(partNumber) ?? 0));
    return true;
  }

  /** Stored parts whose bytes may differ by now. Parts that were never read are not among them. */
  *stale(): Generator<number> {
    for (const partNumber of this.#stored) if (this.#isStale(partNumber)) yield partNumber;
  }

  #isStale(partNumber: number): boolean {
    const readIn = this.#readIn.get(partNumber);
    return readIn !== undefined && readIn < this.#epoch;
  }
}
