import type { FileLoss } from '../../port/file-loss.ts';

/** Identifies a file on this host, whatever its path. */
export interface FileId {
  readonly device: bigint;
  readonly inode: bigint;
}

/** The file that the process has open, and the file at its path now. */
export interface OpenFile {
  readonly open: FileId;
  readonly atPath: FileId | 'missing';
}

export interface SeenFiles {
  readonly database: OpenFile;
  readonly wal: OpenFile;
  readonly sharedMemory: OpenFile;
  /** Bytes of the database file. */
  readonly size: number;
  /** The first bytes of the database file; fewer than `HEADER_BYTES` where it is shorter. */
  readonly header: Uint8Array;
}

/** Results of earlier checks. */
export interface KnownFile {
  /** Bytes at the last check. */
  readonly size: number;
  /** Whether the mark of this start has reached the file's header: SQLite writes it to the WAL first. */
  readonly wasMarked: boolean;
}

/** https://www.sqlite.org/fileformat2.html#the_database_header */
export const HEADER_BYTES = 100;
const MAGIC = new TextEncoder().encode('SQLite format 3\0');
const PAGE_SIZE_AT = 16;
const PAGE_COUNT_AT = 28;
const USER_VERSION_AT = 60;

/**
 * Judges whether the file is still the one that this start marked with the number `mark`, as its `user_version`. A VACUUM by another
 * program makes the file smaller, but not smaller than its header says. During a checkpoint the header may say more than there is, but
 * the file does not get smaller.
 */
export function judgeFile(mark: number, known: KnownFile, seen: SeenFiles): FileLoss | undefined {
  const { database, wal, sharedMemory, size, header } = seen;
  if (database.atPath === 'missing') return 'file-deleted';
  if (!isAtPath(database)) return 'file-replaced';
  const isSmaller = size < known.size;
  if (!hasMagic(header)) return isSmaller ? 'file-truncated' : 'file-overwritten';
  if (isSmaller && size < sizeInHeader(header)) return 'file-truncated';
  if (known.wasMarked && !isMarked(header, mark)) return 'file-overwritten';
  return isAtPath(wal) && isAtPath(sharedMemory) ? undefined : 'wal-lost';
}

export function afterLook(mark: number, known: KnownFile, seen: SeenFiles): KnownFile {
  return { size: seen.size, wasMarked: known.wasMarked || isMarked(seen.header, mark) };
}

function isAtPath({ open, atPath }: OpenFile): boolean {
  return atPath !== 'missing' && atPath.device === open.device && atPath.inode === open.inode;
}

function hasMagic(header: Uint8Array): boolean {
  return header.length === HEADER_BYTES && MAGIC.every((byte, index) => header[index] === byte);
}

function isMarked(header: Uint8Array, mark: number): boolean {
  return hasMagic(header) && view(header).getInt32(USER_VERSION_AT) === mark;
}

function sizeInHeader(header: Uint8Array): number {
  const pageSize = view(header).getUint16(PAGE_SIZE_AT);
  // 65,536 does not fit in two bytes, and is written as 1.
  return view(header).getUint32(PAGE_COUNT_AT) * (pageSize === 1 ? 65_536 : pageSize);
}

function view({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
