/**
 * The ways to lose a SQLite file under the process that has it open. Whatever is recorded afterwards would never be read again, or would
 * damage another database, so a store records nothing more: only a new start ends it.
 */
export const FILE_LOSSES = [
  /** Deleted, or moved elsewhere, alone or with its folder. */
  'file-deleted',
  /** Another file is at the path. */
  'file-replaced',
  'file-truncated',
  /** The same file, with other contents. */
  'file-overwritten',
  /** The file is there; the `-wal` or `-shm` beside it is not. */
  'wal-lost',
  /** SQLite found pages in it that are none of its own. */
  'file-damaged',
] as const;
export type FileLoss = (typeof FILE_LOSSES)[number];

export function isFileLoss(reason: string): reason is FileLoss {
  return (FILE_LOSSES as readonly string[]).includes(reason);
}
