import { type ByteSource, bytesSource, type SourceIdentity } from '../../src/client/source/byte-source.ts';
import { withFlippedByte } from '../support/client/sources.ts';

export type Contents = 'original' | 'changed';

/** A source, and the contents that its file had since it was opened. */
export interface OpenFile extends ByteSource {
  readonly contentsSeen: ReadonlySet<Contents>;
}

export interface ChangingFileOptions {
  readonly name: string;
  readonly original: Buffer;
  readonly changeAt: number;
  readonly pieceSize: number;
  /** False where it is on a file system on which contents may change without a sign. */
  readonly hasChangeTime: boolean;
}

/**
 * A file of which one byte changes and changes back. More than one would let an upload without any sign of the change (same
 * modification time) mix contents that no file ever had, which no client can notice that does not read everything twice.
 */
export class ChangingFile {
  readonly bytes: Readonly<Record<Contents, Buffer>>;
  /** A read hands out pieces of so many bytes. */
  readonly #pieceSize: number;
  readonly #open = new Set<Set<Contents>>();
  #contents: Contents = 'original';
  /** What a modification time is good for. */
  #version = 0;

  readonly #name: string;
  readonly #hasChangeTime: boolean;

  constructor(options: ChangingFileOptions) {
    const { name, original, changeAt, pieceSize, hasChangeTime } = options;
    this.#name = name;
    this.#hasChangeTime = hasChangeTime;
    this.bytes = { original, changed: withFlippedByte(original, changeAt) };
    this.#pieceSize = pieceSize;
  }

  /** The file as it was at first. */
  get original(): ByteSource {
    return bytesSource(this.bytes.original, this.#name);
  }

  /** Of its identity, as far as it shows. */
  get version(): number {
    return this.#version;
  }

  /** `seen` where the modification time tells. */
  become(contents: Contents, seen: boolean): void {
    if (contents === this.#contents) return;
    this.#contents = contents;
    if (seen) this.#version += 1;
    for (const contentsSeen of this.#open) contentsSeen.add(contents);
  }

  open(): OpenFile {
    const contentsSeen = new Set([this.#contents]);
    this.#open.add(contentsSeen);
    const size = this.bytes.original.length;
    return {
      name: this.#name,
      size,
      identity: this.#identity(),
      contentsSeen,
      read: (start, end) => this.#read(start, end),
      identify: async () => this.#identity(),
      close: async () => {
        this.#open.delete(contentsSeen);
      },
    };
  }

  #identity(): SourceIdentity {
    const change = this.#hasChangeTime ? { ctimeNs: String(this.#version) } : {};
    return { size: this.bytes.original.length, mtimeMs: this.#version, ...change, device: 0, inode: 0 };
  }

  async *#read(start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += this.#pieceSize) {
      // Other things happen between two pieces, as they do when they come from a disk.
      await new Promise((resolve) => setImmediate(resolve));
      yield this.bytes[this.#contents].subarray(at, Math.min(at + this.#pieceSize, end));
    }
  }
}
