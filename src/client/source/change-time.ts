import * as fs from 'node:fs';
import { platform } from 'node:os';
import { promisify } from 'node:util';

const statfs = promisify(fs.statfs);

/**
 * Linux file systems that set a file's change time (ctime) at every write and let no program set it to a value of its choice, by
 * the `f_type` of statfs(2). Numbers: include/uapi/linux/magic.h of the kernel; ZFS: ZFS_SUPER_MAGIC in OpenZFS' sys/fs/zfs.h.
 * Left out on purpose: overlayfs (0x794c7630), whose lower layers may be anything; FAT, exFAT and NTFS drivers; FUSE and virtiofs
 * (0x65735546), 9p, NFS, SMB, Ceph, which report what another host or program tells them.
 */
const LINUX_FILE_SYSTEMS: ReadonlyMap<bigint, string> = new Map([
  [0xef53n, 'ext2, ext3, ext4'],
  [0x58465342n, 'XFS'],
  [0x9123683en, 'Btrfs'],
  [0x2fc12fc1n, 'ZFS'],
  [0xf2f52010n, 'F2FS'],
  [0x01021994n, 'tmpfs'],
]);

/** The `type` of Node's `fs.statfs`, in bigints. */
export type FileSystemType = (path: string) => Promise<bigint>;

export interface MountedFileSystem {
  readonly platform: NodeJS.Platform;
  /** The type of the file system that holds the file. */
  readonly type: bigint;
  /** The type of the file system that the host booted from. */
  readonly rootType: bigint;
}

/**
 * Tells whether a file system keeps a change time that no program can put back.
 *
 * macOS numbers file systems in the order in which they register, differently from one release to the next (xnu, `vfs_fsadd`),
 * so no number can be listed. But macOS boots from APFS alone since 10.15, the oldest that runs Node 20: APFS is whatever has the
 * number of `/`. On Windows libuv answers 0 for every file system, so an exFAT card looks like NTFS: nothing is trusted there.
 */
export function keepsChangeTime({ platform, type, rootType }: MountedFileSystem): boolean {
  // 32-bit kernels extend the sign of numbers above 0x7fffffff.
  if (platform === 'linux') return LINUX_FILE_SYSTEMS.has(BigInt.asUintN(32, type));
  return platform === 'darwin' && type === rootType;
}

/** Asks the system about the file system of `path`. If it cannot tell, the file system counts as keeping no change time. */
export async function hasChangeTime(path: string, typeOf: FileSystemType = systemType): Promise<boolean> {
  try {
    return keepsChangeTime({ platform: platform(), type: await typeOf(path), rootType: await typeOf('/') });
  } catch {
    return false;
  }
}

async function systemType(path: string): Promise<bigint> {
  return (await statfs(path, { bigint: true })).type;
}

/** A kernel's tick, by which many stamp files, has at most ten milliseconds (HZ=100). */
const TICK_MS = 100;
const WHOLE_SECOND_MS = 1_100;
const NS_PER_SECOND = 1_000_000_000n;

/**
 * Milliseconds until a change time is old enough to vouch, 0 if it is. Within one tick of the clock that stamps files (see
 * Documentation/filesystems/multigrain-ts.rst of the kernel) a later write leaves the same time, so such a fresh time says nothing. ext2, ext3 and ext4 with small inodes have ticks of one second: their times are whole seconds.
 */
export function settlesInMs(ctimeNs: bigint, nowMs: number): number {
  const granularityMs = ctimeNs % NS_PER_SECOND === 0n ? WHOLE_SECOND_MS : TICK_MS;
  const ageMs = nowMs - Number(ctimeNs / 1_000_000n);
  // A time in the future is from before the clock was set back: writes have different times until then.
  return Math.abs(ageMs) > granularityMs ? 0 : granularityMs - ageMs + 1;
}
