/**
 * Ways in which an open SQLite file is lost. Later records would never be read, or would damage another database, so the session store
 * records nothing more until the server starts again.
 */
export const FILE_LOSSES = [
  /** Deleted or moved, alone or with its folder. */
  'file-deleted',
  /** There is another file at the path. */
  'file-replaced',
  'file-truncated',
  /** The same file has other contents. */
  'file-overwritten',
  /** The file exists, but the `-wal` or `-shm` file beside it does not. */
  'wal-lost',
  /** SQLite found pages that it did not write. */
  'file-damaged',
] as const;
export type FileLoss = (typeof FILE_LOSSES)[number];

export function isFileLoss(reason: string): reason is FileLoss {
  return (FILE_LOSSES as readonly string[]).includes(reason);
}
