import { chmodSync, closeSync, openSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { appendFile, open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createUploadControl } from '../../src/client/flow/upload-control.ts';
import type { ByteSource } from '../../src/client/source/byte-source.ts';
import { type FileSourceOptions, openFileSource } from '../../src/client/source/file-source.ts';
import { fingerprint } from '../../src/client/source/fingerprint.ts';
import type { Session } from '../../src/contract/wire.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { checksumOf } from '../suites/object-store.ts';
import { EngineBench } from '../support/client/engine-bench.ts';
import { aFolder, changeUnseen, recordedSource, seededBytes, withFlippedByte, writeOldFile } from '../support/client/sources.ts';
import { FILE_SYSTEMS } from '../support/files/file-systems.ts';

const PART = 5 * MiB;
const CHUNKED = { strategy: 'chunked', partSize: PART } as const;
/** Between the samples of the fingerprint, in the first part: only the checksum of the part can tell. */
const UNSAMPLED = 70_000;

async function aFile(bytes: Uint8Array, options?: FileSourceOptions): Promise<{ path: string; source: ByteSource }> {
  const path = join(await aFolder(), 'video.mp4');
  await writeOldFile(path, bytes);
  const source = await openFileSource(path, options);
  onTestFinished(() => source.close());
  return { path, source };
}

/** The source, with the ranges that were read of it, in order. */
function watched(source: ByteSource): { source: ByteSource; partsRead: number[] } {
  const partsRead: number[] = [];
  const read = (start: number, end: number) => {
    partsRead.push(start / PART + 1);
    return source.read(start, end);
  };
  return { source: { ...source, read }, partsRead };
}

/** In an event handler, which nothing waits for: as long as it lasts, nothing else happens. */
function changeUnseenNow(path: string, at: number, contents?: Buffer): void {
  const { atime, mtime } = statSync(path);
  const file = openSync(path, 'r+');
  writeSync(file, contents?.subarray(at, at + 8) ?? Buffer.from('changed!'), 0, 8, at);
  closeSync(file);
  utimesSync(path, atime, mtime);
}

async function overwriteByte(path: string, at: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes.subarray(at, at + 1), 0, 1, at);
  await file.close();
}

describe('a stored part with other bytes than the file has now', () => {
  it('stops the upload, and nothing is completed, though size and time of the file are as they were', async () => {
    const bench = await EngineBench.start();
    const original = seededBytes(3 * PART, 41);
    const session = await bench.open(recordedSource(original), CHUNKED);
    await bench.storeParts(session, original, [1, 2, 3]);
    const flipped = recordedSource(withFlippedByte(original, UNSAMPLED));
    expect(await fingerprint(flipped)).toBe(await fingerprint(recordedSource(original)));
    expect((await bench.open(flipped, CHUNKED)).sessionId).toBe(session.sessionId);
    await expect(bench.run(session, flipped).result).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      message: expect.stringContaining('part 1 has other bytes'),
    });
    expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ status: 'open', storedBytes: 3 * PART });
    expect(await bench.store.headObject('video.mp4')).toBeUndefined();
  });

  it('is found before the first byte is sent, when it is found soon', async () => {
    const bench = await EngineBench.start();
    const original = seededBytes(3 * PART, 42);
    const session = await bench.open(recordedSource(original), CHUNKED);
    await bench.storeParts(session, original, [1]);
    await expect(bench.run(session, recordedSource(withFlippedByte(original, UNSAMPLED))).result).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
    });
    expect(bench.proxy.puts).toEqual([]);
  });

  it('is found even if late: beside the upload of other parts, and before the end', async () => {
    const bench = await EngineBench.start();
    const original = seededBytes(2 * PART, 43);
    const session = await bench.open(recordedSource(original), CHUNKED);
    await bench.storeParts(session, original, [1]);
    let compareOn = () => {};
    const compared = new Promise<void>((resolve) => {
      compareOn = resolve;
    });
    const flipped = recordedSource(withFlippedByte(original, UNSAMPLED), {
      beforePiece: (start) => (start === 0 ? compared : undefined),
    });
    const run = bench.run(session, flipped);
    await run.first('part');
    compareOn();
    await expect(run.result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ status: 'open', storedBytes: 2 * PART });
    expect(await bench.store.headObject('video.mp4')).toBeUndefined();
  });

  it('is not looked at where the caller vouches for it: the object has the bytes that were stored', async () => {
    const bench = await EngineBench.start();
    const original = seededBytes(2 * PART, 44);
    const session = await bench.open(recordedSource(original), CHUNKED);
    await bench.storeParts(session, original, [1]);
    const flipped = recordedSource(withFlippedByte(original, UNSAMPLED));
    const knownChecksums = new Map([[1, checksumOf(original.subarray(0, PART))]]);
    expect(await bench.run(session, flipped, { knownChecksums }).result).toMatchObject({ checksum: checksumOf(original) });
    expect(flipped.reads.every(({ start }) => start >= PART)).toBe(true);
    expect(Buffer.compare(await bench.readObject('video.mp4'), original)).toBe(0);
  });

  it('stops the upload at once where the caller vouches for other bytes than are stored', async () => {
    const bench = await EngineBench.start();
    const original = seededBytes(2 * PART, 45);
    const session = await bench.open(recordedSource(original), CHUNKED);
    await bench.storeParts(session, original, [1]);
    const knownChecksums = new Map([[1, 'AAAAAA==']]);
    const source = recordedSource(original);
    await expect(bench.run(session, source, { knownChecksums }).result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(source.reads).toEqual([]);
    expect(bench.proxy.puts).toEqual([]);
  });
});

describe('a file that changes while it is uploaded', () => {
  it.each<[string, (path: string, bytes: Buffer) => Promise<void>]>([
    ['grows', (path) => appendFile(path, 'and more')],
    ['shrinks', (path) => truncate(path, PART + 1)],
    ['becomes empty', (path) => truncate(path, 0)],
    ['is written to', (path, bytes) => overwriteByte(path, 0, withFlippedByte(bytes, 0))],
  ])('and %s stops the upload; what is stored is kept and nothing completed', async (_, change) => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(5 * PART, 46);
    const { path, source } = await aFile(bytes);
    const session = await bench.open(source, CHUNKED);
    bench.proxy.plan = async ({ partNumber }) => {
      if (partNumber === 2) await change(path, bytes);
      return undefined;
    };
    await expect(bench.run(session, source).result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    const { status, storedBytes } = await bench.controlPlane.parts(session.sessionId);
    expect(status).toBe('open');
    expect(storedBytes).toBeGreaterThanOrEqual(PART);
    expect(await bench.store.headObject('video.mp4')).toBeUndefined();
  });

  describe.each(['ext4', 'vfat'] as const)('unseen, with size and modification time put back, on %s', (fileSystem) => {
    it.each([
      ['a part that is stored already, while the rest is sent', 3, UNSAMPLED],
      ['the last part, after it was sent', 5, 4 * PART + 100],
    ])('stops the upload: %s', async (_, partNumber, at) => {
      const bench = await EngineBench.start();
      const { path, source } = await aFile(seededBytes(5 * PART, 71), { fileSystemType: FILE_SYSTEMS[fileSystem] });
      const session = await bench.open(source, CHUNKED);
      const run = bench.run(session, source, {
        onEvent: (event) => {
          if (event.type === 'part' && event.partNumber === partNumber) changeUnseenNow(path, at);
        },
      });
      await expect(run.result).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        message: expect.stringMatching(/part [15] has other bytes than were read before/),
      });
      expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ status: 'open' });
      expect(await bench.store.headObject('video.mp4')).toBeUndefined();
    });
  });

  it.each<[string, (path: string) => void]>([
    ['touched', (path) => utimesSync(path, 1_000_000_000, 1_000_000_000)],
    ['made read-only', (path) => chmodSync(path, 0o444)],
    ['renamed', (path) => renameSync(path, `${path}.old`)],
    ['deleted, and is open still', (path) => rmSync(path)],
    ['written to with the very same bytes', (path) => changeUnseenNow(path, UNSAMPLED, readFileSync(path))],
  ])('only in its times does not stop it: what was stored is compared again beside the sending (%s)', async (_, change) => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(7 * PART, 72);
    const file = await aFile(bytes, { fileSystemType: FILE_SYSTEMS.ext4 });
    const { source, partsRead } = watched(file.source);
    const session = await bench.open(source, CHUNKED);
    // The last part is held up until the first ones were read again: a client that compares only afterwards would wait for ever.
    bench.proxy.plan = async ({ partNumber }) => {
      if (partNumber === 7) await vi.waitUntil(() => partsRead.includes(1) && partsRead.includes(2), { timeout: 60_000 });
      return undefined;
    };
    let partsSent = 0;
    const run = bench.run(session, source, {
      onEvent: (event) => {
        if (event.type !== 'part' || ++partsSent !== 2) return;
        partsRead.length = 0;
        change(file.path);
      },
    });
    expect(await run.result).toMatchObject({ proof: 'full', bytesSent: bytes.length, checksum: checksumOf(bytes) });
    expect(run.eventsOf('rereading')).toEqual([{ type: 'rereading', reason: 'times-changed' }]);
    expect(new Set(partsRead)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7]));
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('again while it is compared is compared once more', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 73);
    const { path, source } = await aFile(bytes, { fileSystemType: FILE_SYSTEMS.ext4 });
    const session = await bench.open(source, CHUNKED);
    let touches = 0;
    const touching: ByteSource = {
      ...source,
      async *read(start, end) {
        // The sending reads each part twice; what comes after that is the comparison.
        if (start === 0 && ++reads > 2 && touches < 2) utimesSync(path, ++touches, 1_000_000_000 + touches);
        yield* source.read(start, end);
      },
    };
    let reads = 0;
    const run = bench.run(session, touching, {
      onEvent: (event) => {
        if (event.type === 'part' && event.partNumber === 2) chmodSync(path, 0o444);
      },
    });
    expect(await run.result).toMatchObject({ proof: 'full', checksum: checksumOf(bytes) });
    expect(run.eventsOf('rereading')).toHaveLength(3);
  });

  it('without end stops the upload, and nothing is said to differ', async () => {
    const bench = await EngineBench.start();
    const { path, source } = await aFile(seededBytes(2 * PART, 74), { fileSystemType: FILE_SYSTEMS.ext4 });
    const session = await bench.open(source, CHUNKED);
    let touches = 0;
    const touching: ByteSource = {
      ...source,
      async *read(start, end) {
        utimesSync(path, ++touches, 1_000_000_000 + touches);
        yield* source.read(start, end);
      },
    };
    await expect(bench.run(session, touching).result).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      message: expect.stringContaining('keeps changing'),
      facts: { bytesDiffer: false },
    });
    expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ status: 'open', storedBytes: 2 * PART });
  });

  it('after its last part was read stops the upload, too', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(PART, 47);
    const { path, source } = await aFile(bytes);
    const session = await bench.open(source, CHUNKED);
    bench.proxy.plan = async () => {
      await appendFile(path, 'one more thing');
      return undefined;
    };
    await expect(bench.run(session, source).result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(await bench.store.headObject('video.mp4')).toBeUndefined();
  });

  it('between the reading that signs and the reading that sends is caught by the checksums, without the help of its time', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 48);
    const other = withFlippedByte(bytes, PART + 100);
    const source = recordedSource(bytes);
    const session = await bench.open(source, CHUNKED);
    const changing: ByteSource = {
      ...source,
      async *read(start, end) {
        const sendsPart2 = start === PART && source.reads.some((read) => read.start === PART);
        source.reads.push({ start, end });
        yield (sendsPart2 ? other : bytes).subarray(start, end);
      },
    };
    source.reads.length = 0;
    await expect(bench.run(session, changing).result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    // Once may be a fault of the way; twice is the file.
    expect(bench.proxy.putsOf(2)).toBe(2);
    expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ storedBytes: PART });
  });

  it('in one byte on its way only, and not again, is sent once more', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(PART, 49);
    const source = recordedSource(bytes);
    const session = await bench.open(source, CHUNKED);
    let reads = 0;
    const glitching: ByteSource = {
      ...source,
      async *read(start, end) {
        reads += 1;
        yield (reads === 2 ? withFlippedByte(bytes, 7) : bytes).subarray(start, end);
      },
    };
    expect(await bench.run(session, glitching).result).toMatchObject({ bytesSent: 2 * PART, checksum: checksumOf(bytes) });
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('that cannot be read any more ends the upload with what the system said', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 50);
    const source = recordedSource(bytes);
    const session = await bench.open(source, CHUNKED);
    const failure = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    const failing: ByteSource = {
      ...source,
      async *read(start, end) {
        if (start === PART) throw failure;
        yield* source.read(start, end);
      },
    };
    await expect(bench.run(session, failing).result).rejects.toBe(failure);
    expect(await bench.controlPlane.get(session.sessionId)).toMatchObject({ status: 'open' });
  });
});

describe('a file on a file system without a change time', () => {
  const VFAT = { fileSystemType: FILE_SYSTEMS.vfat };

  it.each([4 * PART, PART, 0])('of %i bytes is read once more before the end, and the upload says so and why', async (size) => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(size, 75);
    const { source, partsRead } = watched((await aFile(bytes, VFAT)).source);
    const session = await bench.open(source, CHUNKED);
    let partsSent = 0;
    const run = bench.run(session, source, {
      onEvent: (event) => {
        if (event.type === 'part' && ++partsSent === session.partCount) partsRead.length = 0;
      },
    });
    expect(await run.result).toMatchObject({ proof: 'full', bytesSent: size, checksum: checksumOf(bytes) });
    expect(partsRead).toEqual(Array.from({ length: session.partCount }, (_, index) => index + 1));
    expect(run.eventsOf('rereading')).toEqual([{ type: 'rereading', reason: 'no-change-time' }]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('is compared with what is stored, whatever the caller vouches for', async () => {
    const bench = await EngineBench.start();
    const original = seededBytes(2 * PART, 77);
    const { path, source } = await aFile(original, VFAT);
    const session = await bench.open(source, CHUNKED);
    await bench.storeParts(session, original, [1]);
    await changeUnseen(path, UNSAMPLED);
    const knownChecksums = new Map([[1, checksumOf(original.subarray(0, PART))]]);
    await expect(bench.run(session, source, { knownChecksums }).result).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      message: expect.stringContaining('part 1 has other bytes'),
    });
  });

  it('goes on when the store loses its parts, and what is sent again is compared, too', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 78);
    const file = await aFile(bytes, VFAT);
    const session = await bench.open(file.source, CHUNKED);
    let partsSent = 0;
    let lost: Promise<void> | undefined;
    const { source, partsRead } = watched({
      ...file.source,
      // The last look at the file, when nothing is on its way.
      identify: async () => {
        await lost;
        return file.source.identify();
      },
    });
    const run = bench.run(session, source, {
      onEvent: (event) => {
        if (event.type !== 'part') return;
        partsSent += 1;
        if (partsSent === 2) lost = bench.loseUploads('video.mp4');
        if (partsSent === 4) partsRead.length = 0;
      },
    });
    expect(await run.result).toMatchObject({ proof: 'full', bytesSent: 2 * bytes.length, checksum: checksumOf(bytes) });
    expect(partsRead).toEqual([1, 2]);
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });
});

describe('a completed session', () => {
  it.each(['ext4', 'vfat'] as const)(
    'is not the success of a file that changed unseen since, on %s, whatever the caller vouches for',
    async (fileSystem) => {
      const bench = await EngineBench.start();
      const original = seededBytes(2 * PART, 79);
      const { path, source } = await aFile(original, { fileSystemType: FILE_SYSTEMS[fileSystem] });
      const session = await bench.open(source, CHUNKED);
      const knownChecksums = new Map<number, string>();
      await bench.run(session, source, {
        onEvent: (event) => event.type === 'part' && knownChecksums.set(event.partNumber, event.checksum),
      }).result;
      const completed = await bench.controlPlane.get(session.sessionId);
      expect(await bench.run(completed, source, { knownChecksums }).result).toMatchObject({ proof: 'full', bytesSent: 0 });
      await changeUnseen(path, UNSAMPLED);
      await expect(bench.run(completed, source, { knownChecksums }).result).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        message: expect.stringContaining('the object has other bytes'),
      });
    },
  );

  it('is compared again when the file changes meanwhile', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 80);
    const { path, source } = await aFile(bytes, { fileSystemType: FILE_SYSTEMS.ext4 });
    const session = await bench.open(source, CHUNKED);
    await bench.run(session, source).result;
    const completed = await bench.controlPlane.get(session.sessionId);
    let isChanged = false;
    const changing: ByteSource = {
      ...source,
      async *read(start, end) {
        // The first part is compared by then, and found to be the object's.
        if (start === PART && !isChanged) {
          isChanged = true;
          await changeUnseen(path, UNSAMPLED);
        }
        yield* source.read(start, end);
      },
    };
    await expect(bench.run(completed, changing).result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('is not the success of another file with the same fingerprint', async () => {
    const bench = await EngineBench.start();
    const original = seededBytes(2 * PART, 51);
    const session = await bench.open(recordedSource(original), CHUNKED);
    await bench.run(session, recordedSource(original)).result;
    const flipped = recordedSource(withFlippedByte(original, UNSAMPLED));
    const found = await bench.open(flipped);
    expect(found).toMatchObject({ sessionId: session.sessionId, status: 'completed' });
    await expect(bench.run(found, flipped).result).rejects.toMatchObject({
      code: 'SOURCE_CHANGED',
      message: expect.stringContaining('the object has other bytes'),
    });
    expect(Buffer.compare(await bench.readObject('video.mp4'), original)).toBe(0);
  });

  it('is not that of another file either when it completed only after it was looked up', async () => {
    const bench = await EngineBench.start();
    const original = seededBytes(2 * PART, 52);
    const stillOpen = await bench.open(recordedSource(original), CHUNKED);
    await bench.run(stillOpen, recordedSource(original)).result;
    const flipped = recordedSource(withFlippedByte(original, UNSAMPLED));
    await expect(bench.run(stillOpen, flipped).result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it.each<[string, Partial<Session>]>([
    ['another size', { size: 1 }],
    ['another key', { key: 'other.mp4' }],
    ['another bucket', { bucket: 'other' }],
    ['that it is open', { status: 'open' }],
    ['no CRC32', { checksum: null }],
  ])("that completed only after it was looked up is nobody's success when the server tells %s of it", async (_, lie) => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(2 * PART, 81));
    const stillOpen = await bench.open(source, CHUNKED);
    await bench.run(stillOpen, source).result;
    const get = bench.controlPlane.get.bind(bench.controlPlane);
    vi.spyOn(bench.controlPlane, 'get').mockImplementation(async (...call) => ({ ...(await get(...call)), ...lie }));
    await expect(bench.run(stillOpen, source).result).rejects.toMatchObject({ code: 'RESULT_MISMATCH' });
  });

  it('that completed only after it was looked up is the success of the same file', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 53);
    const stillOpen = await bench.open(recordedSource(bytes), CHUNKED);
    await bench.run(stillOpen, recordedSource(bytes)).result;
    expect(await bench.run(stillOpen, recordedSource(bytes)).result).toMatchObject({ status: 'completed', bytesSent: 0 });
  });
});

describe('another hand on the session', () => {
  it('a newer client takes over, and the older one stops and says why', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(3 * PART, 54);
    const session = await bench.open(recordedSource(bytes), CHUNKED);
    let release = () => {};
    const released = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    bench.proxy.plan = ({ partNumber, attempt }) => {
      if (partNumber !== 2 || attempt > 1) return undefined;
      arrive();
      return released;
    };
    const older = bench.run(session, recordedSource(bytes));
    await arrived;
    const newer = bench.run(session, recordedSource(bytes), { control: createUploadControl({ bytesPerSecond: 5 * MiB }) });
    await expect(older.result).rejects.toMatchObject({ code: 'CLIENT_REPLACED' });
    release();
    expect(await newer.result).toMatchObject({ status: 'completed' });
    expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
  });

  it('an abort ends the upload, and nothing is left at the store', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(4 * PART, 55));
    const session = await bench.open(source, CHUNKED);
    bench.proxy.plan = async ({ partNumber, attempt }) => {
      if (partNumber === 2 && attempt === 1) await bench.controlPlane.abort(session.sessionId);
      return undefined;
    };
    await expect(bench.run(session, source).result).rejects.toMatchObject({
      code: 'SESSION_NOT_OPEN',
      facts: { sessionStatus: expect.stringMatching(/^abort(ing|ed)$/) },
    });
    expect(await bench.store.listMultipartUploads('video.mp4')).toEqual([]);
    expect(await bench.store.headObject('video.mp4')).toBeUndefined();
  });

  it('an object that appeared meanwhile is not overwritten, and the parts are kept', async () => {
    const bench = await EngineBench.start();
    const theirs = seededBytes(1_000, 56);
    const ours = recordedSource(seededBytes(PART, 57));
    const session = await bench.open(ours, { ...CHUNKED, key: 'wanted.mp4' });
    bench.proxy.plan = async ({ attempt }) => {
      const other = recordedSource(theirs, { name: 'other.mp4' });
      if (attempt === 1) {
        bench.proxy.plan = () => undefined;
        await bench.run(await bench.open(other, { key: 'wanted.mp4' }), other).result;
      }
      return undefined;
    };
    await expect(bench.run(session, ours).result).rejects.toMatchObject({ code: 'OBJECT_EXISTS' });
    expect(Buffer.compare(await bench.readObject('wanted.mp4'), theirs)).toBe(0);
    expect(await bench.controlPlane.parts(session.sessionId)).toMatchObject({ status: 'open', storedBytes: PART });
  });
});
