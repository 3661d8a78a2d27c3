/** Shows without reading whether a source still has the same bytes as before. */
export interface SourceIdentity {
  readonly size: number;
  readonly mtimeMs: number;
  /**
   * Changes whenever the bytes do, even if a program puts the other fields back: a file's change time in nanoseconds, or any constant
   * for bytes that cannot change. Left out where there is no such time; then nothing vouches for bytes that were read before.
   */
  readonly ctimeNs?: string;
  /** Zero where the source is not a file. */
  readonly device: number;
  readonly inode: number;
}

/** Bytes of known size that can be read by range, any number of times. */
export interface ByteSource {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** The identity when the source was opened. */
  readonly identity: SourceIdentity;
  /**
   * Reads the bytes from `start` (inclusive) to `end` (exclusive), in pieces. A piece may be reused for other bytes as soon as the
   * next one is asked for: copy it to keep it. May end early if the source shrank meanwhile.
   */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  /**
   * Returns the identity of the source now. Different times than before are no error: the bytes are compared then.
   * @throws UploadError `SOURCE_CHANGED` if it cannot be what was opened: another size, or another file under its name.
   */
  identify(): Promise<SourceIdentity>;
  close(): Promise<void>;
}

/** A source of bytes in memory. */
export function bytesSource(bytes: Uint8Array, name = 'bytes'): ByteSource {
  return blobSource(new Blob([bytes as Uint8Array<ArrayBuffer>]), name);
}

/** A source of a Blob, or of a browser's File. */
export function blobSource(blob: Blob, name = 'blob'): ByteSource {
  const identity = { size: blob.size, mtimeMs: 0, ctimeNs: '0', device: 0, inode: 0 };
  return {
    name,
    size: blob.size,
    identity,
    read: (start, end) => blob.slice(start, end).stream(),
    identify: () => Promise.resolve(identity),
    close: () => Promise.resolve(),
  };
}
