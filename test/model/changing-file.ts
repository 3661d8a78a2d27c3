import { type ByteSource, bytesSource, type SourceIdentity } from '../../src/client/source/byte-source.ts';
import { withFlippedByte } from '../support/client/sources.ts';

export type Contents = 'original' | 'changed';

/** A source, and the contents that its file has had since it was opened. */
export interface OpenFile extends ByteSource {
  readonly contentsSeen: ReadonlySet<Contents>;
}

export interface ChangingFileOptions {
  readonly name: string;
  readonly original: Buffer;
  readonly changeAt: number;
  readonly pieceSize: number;
  /** False if the file is on a file system on which its contents may change without a trace. */
  readonly hasChangeTime: boolean;
}

/**
 * A file in which one byte changes and changes back. With more than one byte, an upload could mix both contents into bytes that the file
 * never had, and if the modification time stays the same, only a client that reads everything twice can notice that.
 */
export class ChangingFile {
  readonly bytes: Readonly<Record<Contents, Buffer>>;
  /** A read yields pieces of this many bytes. */
  readonly #pieceSize: number;
  readonly #open = new Set<Set<Contents>>();
  #contents: Contents = 'original';
  /** Stands for the modification time. */
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

  /** A source with the file's first contents. */
  get original(): ByteSource {
    return bytesSource(this.bytes.original, this.#name);
  }

  /** The version of the file, as its modification time shows it. */
  get version(): number {
    return this.#version;
  }

  /** Changes the contents; `seen` means that the modification time changes as well. */
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
      // Yields to the event loop between two pieces, as reads from a disk do.
      await new Promise((resolve) => setImmediate(resolve));
      yield this.bytes[this.#contents].subarray(at, Math.min(at + this.#pieceSize, end));
    }
  }
}
