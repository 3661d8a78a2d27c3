/** What says that a source is still the same bytes as before, without reading them. */
export interface SourceIdentity {
  readonly size: number;
  readonly mtimeMs: number;
  /** Zero where the source is not a file. */
  readonly device: number;
  readonly inode: number;
}

/** Bytes of known size that can be read by range, any number of times. */
export interface ByteSource {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** As it was when the source was opened. */
  readonly identity: SourceIdentity;
  /**
   * The bytes from `start` (inclusive) to `end` (exclusive), in pieces. A piece may be reused for other bytes as soon as the
   * next one is asked for: copy what is kept. May end early when the source shrank meanwhile.
   */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  /** @throws UploadError `SOURCE_CHANGED` if the source is no longer what was opened. */
  checkUnchanged(): Promise<void>;
  close(): Promise<void>;
}

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array, name = 'bytes'): ByteSource {
  return blobSource(new Blob([bytes as Uint8Array<ArrayBuffer>]), name);
}

/** A Blob, or a browser's File. */
export function blobSource(blob: Blob, name = 'blob'): ByteSource {
  return {
    name,
    size: blob.size,
    identity: { size: blob.size, mtimeMs: 0, device: 0, inode: 0 },
    read: (start, end) => blob.slice(start, end).stream(),
    checkUnchanged: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
