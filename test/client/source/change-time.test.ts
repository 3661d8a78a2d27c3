import { describe, expect, it } from 'vitest';
import { hasChangeTime, keepsChangeTime, settlesInMs } from '../../../src/client/source/change-time.ts';
import { FILE_SYSTEMS } from '../../support/files/file-systems.ts';

describe('a file system', () => {
  it.each([
    ['ext4', 0xef53n, true],
    ['XFS', 0x58465342n, true],
    ['Btrfs', 0x9123683en, true],
    ['Btrfs on a 32-bit kernel, which extends the sign', 0xffffffff_9123683en, true],
    ['ZFS', 0x2fc12fc1n, true],
    ['F2FS', 0xf2f52010n, true],
    ['tmpfs', 0x01021994n, true],
    ['FAT', 0x4d44n, false],
    ['exFAT', 0x2011bab0n, false],
    ['ntfs3', 0x7366746en, false],
    ['NFS', 0x6969n, false],
    ['SMB', 0xfe534d42n, false],
    ['CIFS', 0xff534d42n, false],
    ['FUSE', 0x65735546n, false],
    ['9p', 0x01021997n, false],
    ['overlayfs, whose layers may be anything', 0x794c7630n, false],
    ['procfs', 0x9fa0n, false],
    ['a number that is not known', 1n, false],
  ])('on Linux: %s', (_, type, expected) => {
    expect(keepsChangeTime({ platform: 'linux', type, rootType: type })).toBe(expected);
  });

  it('on macOS keeps a change time if it is of the kind that the machine booted from, whatever its number', () => {
    expect(keepsChangeTime({ platform: 'darwin', type: 26n, rootType: 26n })).toBe(true);
    expect(keepsChangeTime({ platform: 'darwin', type: 28n, rootType: 26n })).toBe(false);
    // A number of Linux means nothing there.
    expect(keepsChangeTime({ platform: 'darwin', type: 0xef53n, rootType: 26n })).toBe(false);
  });

  it('on Windows and elsewhere is not trusted: an exFAT card looks like NTFS', () => {
    expect(keepsChangeTime({ platform: 'win32', type: 0n, rootType: 0n })).toBe(false);
    expect(keepsChangeTime({ platform: 'freebsd', type: 0xef53n, rootType: 0xef53n })).toBe(false);
  });

  it('that cannot be asked is not trusted', async () => {
    expect(await hasChangeTime('/', () => Promise.reject(new Error('ENOSYS')))).toBe(false);
    expect(await hasChangeTime('/', FILE_SYSTEMS.vfat)).toBe(false);
  });
});

describe('a change time', () => {
  const NOW = 1_796_049_667_480;
  const at = (ms: number, ns = 1n) => BigInt(ms) * 1_000_000n + ns;

  it('vouches only once the clock that stamps files has gone on: a later write would leave the same time', () => {
    expect(settlesInMs(at(NOW), NOW)).toBeGreaterThan(0);
    expect(settlesInMs(at(NOW - 10), NOW)).toBeGreaterThan(0);
    expect(settlesInMs(at(NOW - 101), NOW)).toBe(0);
    expect(settlesInMs(at(NOW - 86_400_000), NOW)).toBe(0);
  });

  it('of whole seconds vouches a second later, since the file system may know no smaller ones', () => {
    const second = 1_796_049_667_000;
    expect(settlesInMs(at(second, 0n), second + 480)).toBeGreaterThan(0);
    expect(settlesInMs(at(second, 0n), second + 1_101)).toBe(0);
  });

  it('is old enough after the time that was said, and a time far in the future is of another clock', () => {
    const wait = settlesInMs(at(NOW - 30), NOW);
    expect(settlesInMs(at(NOW - 30), NOW + wait)).toBe(0);
    expect(settlesInMs(at(NOW + 3_600_000), NOW)).toBe(0);
    const soon = settlesInMs(at(NOW + 50), NOW);
    expect(settlesInMs(at(NOW + 50), NOW + soon)).toBe(0);
  });
});
