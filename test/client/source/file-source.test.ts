import { execFile } from 'node:child_process';
import { appendFile, chmod, link, mkdir, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ByteSource, blobSource } from '../../../src/client/source/byte-source.ts';
import { checksumOf, checksumOfRange } from '../../../src/client/source/checksum.ts';
import { type FileSourceOptions, openFileSource } from '../../../src/client/source/file-source.ts';
import { isUnchanged } from '../../../src/client/source/identity.ts';
import { aFolder, changeUnseen, seededBytes, writeOldFile } from '../../support/client/sources.ts';
import { collectWarnings } from '../../support/collect-warnings.ts';
import { FILE_SYSTEMS } from '../../support/files/file-systems.ts';

const run = promisify(execFile);
const bytes = seededBytes(700_000, 4);

async function aFile(content: Uint8Array = bytes): Promise<string> {
  const path = join(await aFolder(), 'video.mp4');
  await writeOldFile(path, content);
  return path;
}

async function opened(path: string, options?: FileSourceOptions): Promise<ByteSource> {
  const source = await openFileSource(path, options);
  onTestFinished(() => source.close());
  return source;
}

async function read(source: ByteSource, start: number, end: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source.read(start, end)) pieces.push(new Uint8Array(piece));
  return Buffer.concat(pieces);
}

describe('a file as a source', () => {
  it('has the name and the size of the file', async () => {
    expect(await opened(await aFile())).toMatchObject({ name: 'video.mp4', size: 700_000 });
  });

  it.each([
    [0, 700_000],
    [0, 1],
    [1, 2],
    [699_999, 700_000],
    [262_143, 262_145],
    [100, 600_001],
  ])('reads bytes %d to %d, the last not included', async (start, end) => {
    const source = await opened(await aFile());
    expect((await read(source, start, end)).equals(bytes.subarray(start, end))).toBe(true);
  });

  it('reads nothing where the range is empty', async () => {
    const source = await opened(await aFile());
    expect(await read(source, 5, 5)).toEqual(Buffer.alloc(0));
    expect(await read(source, 700_000, 700_000)).toEqual(Buffer.alloc(0));
  });

  it('may have 0 bytes', async () => {
    const source = await opened(await aFile(new Uint8Array()));
    expect(source.size).toBe(0);
    expect(await read(source, 0, 0)).toEqual(Buffer.alloc(0));
    expect(await checksumOf(source)).toBe('AAAAAA==');
    await source.identify();
  });

  it('reads many ranges at the same time', async () => {
    const source = await opened(await aFile());
    const starts = Array.from({ length: 20 }, (_, index) => index * 35_000);
    const ranges = await Promise.all(starts.map((start) => read(source, start, start + 35_000)));
    expect(Buffer.concat(ranges).equals(bytes)).toBe(true);
  });

  it('leaves no listener and no open file behind, fifty times, even when a read is given up', async () => {
    const warnings = collectWarnings();
    const source = await opened(await aFile());
    for (let time = 0; time < 50; time++) await read(source, 0, 300_000);
    for (let time = 0; time < 50; time++) {
      for await (const piece of source.read(0, 700_000)) {
        if (piece.length > 0) break;
      }
    }
    expect((await read(source, 0, 10)).equals(bytes.subarray(0, 10))).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('stays readable and unchanged when it is renamed or deleted', async () => {
    const path = await aFile();
    const source = await opened(path);
    await rename(path, `${path}.old`);
    await source.identify();
    await rm(`${path}.old`);
    await source.identify();
    expect((await read(source, 0, 700_000)).equals(bytes)).toBe(true);
  });

  it.each<[string, (path: string) => Promise<void>, RegExp]>([
    ['grew', (path) => appendFile(path, 'x'), /had 700000 bytes and has 700001 now/],
    ['shrank', (path) => truncate(path, 1_000), /had 700000 bytes and has 1000 now/],
    ['was replaced', (path) => replace(path), /was replaced by another file/],
  ])('is told as changed when it %s', async (_, change, message) => {
    const path = await aFile();
    const source = await opened(path);
    await source.identify();
    await change(path);
    const failure = source.identify();
    await expect(failure).rejects.toMatchObject({ code: 'SOURCE_CHANGED', message: expect.stringMatching(message) });
  });

  describe.skipIf(process.platform !== 'linux')('on a file system with a change time', () => {
    it.each<[string, (path: string) => Promise<unknown>]>([
      ['written to, with size and modification time put back', (path) => changeUnseen(path, 350_000)],
      ['touched', (path) => utimes(path, 1_000_000_000, 1_000_000_000)],
      ['made read-only', (path) => chmod(path, 0o444)],
      ['renamed', (path) => rename(path, `${path}.old`)],
      ['linked', (path) => link(path, `${path}.link`)],
    ])('is seen to be another than before when it is %s', async (_, change) => {
      const path = await aFile();
      const source = await opened(path, { fileSystemType: FILE_SYSTEMS.ext4 });
      expect(isUnchanged(source.identity, await source.identify())).toBe(true);
      await change(path);
      expect(isUnchanged(source.identity, await source.identify())).toBe(false);
    });

    it('has a change time that is older than the clock can mistake, though it was written just now', async () => {
      const path = await aFile();
      const { identity } = await opened(path, { fileSystemType: FILE_SYSTEMS.ext4 });
      expect(Date.now() - Number(BigInt(identity.ctimeNs ?? 0) / 1_000_000n)).toBeGreaterThan(100);
    });
  });

  it('on a file system without a change time has none, and looks unchanged when size and modification time are put back', async () => {
    const path = await aFile();
    const source = await opened(path, { fileSystemType: FILE_SYSTEMS.vfat });
    expect(source.identity).not.toHaveProperty('ctimeNs');
    await changeUnseen(path, 350_000);
    expect(isUnchanged(source.identity, await source.identify())).toBe(true);
    await utimes(path, 1_000_000_000, 1_000_000_000);
    expect(isUnchanged(source.identity, await source.identify())).toBe(false);
  });

  it('has the modification time that journals of earlier versions have', async () => {
    const path = await aFile();
    await utimes(path, 1_700_000_000.123_456, 1_700_000_000.123_456);
    expect((await opened(path)).identity.mtimeMs).toBe((await stat(path)).mtimeMs);
  });

  it.skipIf(process.platform !== 'linux').each([
    ['says 0 bytes and has more', '/proc/cpuinfo', /says that it has 0 bytes, but more can be read/],
    ['says a page and has less', '/sys/kernel/uevent_seqnum', /says that it has 4096 bytes, but it ends before/],
  ])('may not be one whose size cannot be relied on: it %s', async (_, path, message) => {
    await expect(openFileSource(path)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringMatching(message),
      hint: expect.stringContaining('upload the copy'),
    });
  });

  it('ends a read early when it shrank, and its checksum says so instead of being of fewer bytes', async () => {
    const path = await aFile();
    const source = await opened(path);
    await truncate(path, 1_000);
    expect((await read(source, 0, 700_000)).length).toBe(1_000);
    await expect(checksumOfRange(source, 0, 700_000)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    await expect(checksumOfRange(source, 500_000, 700_000)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('says which file it was when its disk fails in the middle', async () => {
    const path = await aFile();
    const source = await openFileSource(path);
    // The descriptor is gone, as with a drive that was pulled: the system refuses to read.
    await source.close();
    await expect(read(source, 0, 1_000)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining(path),
    });
  });

  it.each([
    ['there is no file', 'missing.mp4'],
    ['a folder of its path is a file', 'video.mp4/part'],
  ])('is not found where %s', async (_, name) => {
    const path = await aFile();
    const failure = openFileSource(join(path, '..', name));
    await expect(failure).rejects.toMatchObject({ code: 'SOURCE_NOT_FOUND', message: expect.stringContaining(name) });
  });

  it('may not be a directory, and says what to do instead', async () => {
    const folder = join(await aFolder(), 'holiday');
    await mkdir(folder);
    await expect(openFileSource(folder)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining('a directory'),
      hint: expect.stringContaining('DIRECTORY/*'),
    });
  });

  it('may not be a device', async () => {
    await expect(openFileSource('/dev/null')).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
  });

  it('does not wait for a named pipe that no program writes to', async () => {
    const pipe = join(await aFolder(), 'pipe');
    await run('mkfifo', [pipe]);
    await expect(openFileSource(pipe)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining('not a regular file'),
    });
  });

  it('says that you may not read it where you may not', async () => {
    const path = await aFile();
    await chmod(join(path, '..'), 0o755);
    await chmod(path, 0o000);
    await asNobody(async () => {
      await expect(openFileSource(path)).rejects.toMatchObject({
        code: 'SOURCE_UNREADABLE',
        message: `${path} cannot be opened: you may not read it.`,
      });
    });
  });
});

async function replace(path: string): Promise<void> {
  await writeFile(`${path}.new`, bytes);
  await rename(`${path}.new`, path);
}

/** Root may read everything, so a root that runs the tests becomes nobody meanwhile. */
async function asNobody(act: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return act();
  process.seteuid?.(65_534);
  try {
    await act();
  } finally {
    process.seteuid?.(0);
  }
}

describe('a Blob as a source', () => {
  it('reads ranges of bytes in memory, and never changes', async () => {
    const source = blobSource(new Blob([new Uint8Array(bytes)]), 'clip.mp4');
    expect(source).toMatchObject({ name: 'clip.mp4', size: 700_000 });
    expect((await read(source, 100, 600_001)).equals(bytes.subarray(100, 600_001))).toBe(true);
    expect(await read(source, 5, 5)).toEqual(Buffer.alloc(0));
    await source.identify();
  });
});
