import { closeSync, constants, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const LINE_FEED = '\n';

/**
 * Appends whole lines to a file that other processes append to as well: each line is one write, at the end wherever that is by then
 * (O_APPEND), and in the kernel's hands when `append` returns, so that killing this process loses none.
 * Synchronous on purpose: it takes microseconds, and no line is still under way when the request that it tells of is answered.
 */
export class LineFile {
  readonly #path: string;
  #descriptor: number;
  #isTorn = false;

  /** Made for its owner only, as is its folder; what is there already keeps its mode. @throws the system's error. */
  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#descriptor = openForAppending(path);
  }

  /** @throws the system's error. A line that a full disk cut short is ended before the next one. */
  append(line: string): void {
    const bytes = Buffer.from(`${this.#isTorn ? LINE_FEED : ''}${line}${LINE_FEED}`);
    let written = 0;
    try {
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
      this.#isTorn = false;
    } catch (error) {
      if (written > 0) this.#isTorn = true;
      throw error;
    }
  }

  /** Goes on with the file that now has the name. @throws the system's error, and goes on with the old one. */
  reopen(): void {
    const descriptor = openForAppending(this.#path);
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.#isTorn = false;
  }

  /** Idempotent. */
  close(): void {
    if (this.#descriptor === -1) return;
    closeSync(this.#descriptor);
    // The number may soon name another file of this process.
    this.#descriptor = -1;
  }
}

function openForAppending(path: string): number {
  // Readable too, for the look at its last byte.
  const descriptor = openSync(path, constants.O_APPEND | constants.O_CREAT | constants.O_RDWR, 0o600);
  try {
    endUnfinishedLine(descriptor);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/**
 * A power cut may have left half a line; the next one must not become part of it. Another process that is writing its line now
 * may look the same, as the size grows by pages: an empty line then, which readers skip.
 */
function endUnfinishedLine(descriptor: number): void {
  const { size } = fstatSync(descriptor);
  if (size === 0) return;
  const last = Buffer.alloc(1);
  readSync(descriptor, last, 0, 1, size - 1);
  if (last.toString() !== LINE_FEED) writeSync(descriptor, LINE_FEED);
}
