import { appendFile, open, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createUploadControl } from '../../src/client/pace/upload-control.ts';
import type { ByteSource } from '../../src/client/source/byte-source.ts';
import { openFileSource } from '../../src/client/source/file-source.ts';
import { fingerprint } from '../../src/client/source/fingerprint.ts';
import { MiB } from '../../src/session/part-plan.ts';
import { checksumOf } from '../contract/object-store.ts';
import { EngineBench } from '../support/engine-bench.ts';
import { aFolder, recordedSource, seededBytes, withFlippedByte } from '../support/sources.ts';

const PART = 5 * MiB;
const CHUNKED = { strategy: 'chunked', partSize: PART } as const;
/** Between the samples of the fingerprint, in the first part: only the checksum of the part can tell. */
const UNSAMPLED = 70_000;

async function aFile(bytes: Uint8Array): Promise<{ path: string; source: ByteSource }> {
  const path = join(await aFolder(), 'video.mp4');
  await writeFile(path, bytes);
  const source = await openFileSource(path);
  onTestFinished(() => source.close());
  return { path, source };
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

  it('is found also when it is found late: beside the upload of the others, and before the end', async () => {
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
    ['is touched', (path) => utimes(path, 1_000_000_000, 1_000_000_000)],
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

describe('a completed session', () => {
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
