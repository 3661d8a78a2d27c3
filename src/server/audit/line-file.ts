import { closeSync, constants, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const LINE_FEED = '\n';

/**
 * Appends whole lines to a file that other processes append to as well. Each line is one write at the current end of the file (O_APPEND),
 * and the kernel has it when `append` returns, so killing this process loses none.
 * Synchronous on purpose: a write takes microseconds, and the line of a request is written before its answer is sent.
 */
export class LineFile {
  readonly #path: string;
  #descriptor: number;
  #isTorn = false;

  /** Makes file and folder readable for their owner only; an existing file or folder keeps its mode. @throws the system's error. */
  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#descriptor = openForAppending(path);
  }

  /** Appends a line. If a full disk cut the last one short, that one is ended first. @throws the system's error. */
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

  /** Goes on with the file that has the name now. @throws the system's error, and goes on with the old file. */
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
    // This process may soon use the same number for another file.
    this.#descriptor = -1;
  }
}

function openForAppending(path: string): number {
  // Readable too, because its last byte is read.
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
 * Ends the half line that a power cut may have left, so that the next line does not become part of it. A line that another process is just
 * writing may look the same, because the size grows by pages; the result is an empty line, which readers skip.
 */
function endUnfinishedLine(descriptor: number): void {
  const { size } = fstatSync(descriptor);
  if (size === 0) return;
  const last = Buffer.alloc(1);
  readSync(descriptor, last, 0, 1, size - 1);
  if (last.toString() !== LINE_FEED) writeSync(descriptor, LINE_FEED);
}
