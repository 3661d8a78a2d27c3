import { type ByteSource, bytesSource } from '../../src/client/source/byte-source.ts';
import { UploadError } from '../../src/session/errors.ts';
import { withFlippedByte } from '../support/sources.ts';

export type Contents = 'original' | 'changed';

/** A source, and the contents that its file had since it was opened. */
export interface OpenFile extends ByteSource {
  readonly contentsSeen: ReadonlySet<Contents>;
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

  constructor({ name, original, changeAt, pieceSize }: { name: string; original: Buffer; changeAt: number; pieceSize: number }) {
    this.#name = name;
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
    const version = this.#version;
    const contentsSeen = new Set([this.#contents]);
    this.#open.add(contentsSeen);
    const size = this.bytes.original.length;
    return {
      name: this.#name,
      size,
      identity: { size, mtimeMs: version, device: 0, inode: 0 },
      contentsSeen,
      read: (start, end) => this.#read(start, end),
      checkUnchanged: async () => {
        if (version !== this.#version) throw new UploadError('SOURCE_CHANGED', 'The file has another modification time.');
      },
      close: async () => {
        this.#open.delete(contentsSeen);
      },
    };
  }

  async *#read(start: number, end: number): AsyncGenerator<Uint8Array> {
    for (let at = start; at < end; at += this.#pieceSize) {
      // Other things happen between two pieces, as they do when they come from a disk.
      await new Promise((resolve) => setImmediate(resolve));
      yield this.bytes[this.#contents].subarray(at, Math.min(at + this.#pieceSize, end));
    }
  }
}
