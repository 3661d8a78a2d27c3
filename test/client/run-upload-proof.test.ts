import { describe, expect, it } from 'vitest';
import type { VerifyResume } from '../../src/client/source/verify-resume.ts';
import type { Session } from '../../src/contract/wire.ts';
import { MiB, partRange } from '../../src/session/part-plan.ts';
import { checksumOf } from '../suites/object-store.ts';
import { EngineBench } from '../support/client/engine-bench.ts';
import { type RecordedSource, recordedSource, seededBytes, withFlippedByte } from '../support/client/sources.ts';

const PART = 5 * MiB;
const CHUNKED = { strategy: 'chunked', partSize: PART } as const;
/** A sample of the first ten parts has all of them but the third and the eighth. */
const STORED = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** Ten of eleven parts are stored, by a run that this test does not remember. */
async function halfStored(bench: EngineBench, bytes: Uint8Array): Promise<Session> {
  const session = await bench.open(recordedSource(bytes), CHUNKED);
  await bench.storeParts(session, bytes, STORED);
  return session;
}

/** With one byte of one part changed, between the samples of the fingerprint. */
function flippedIn(bytes: Uint8Array, partNumber: number): RecordedSource {
  return recordedSource(withFlippedByte(bytes, (partNumber - 1) * PART + 70_000));
}

function partsRead({ reads }: RecordedSource): number[] {
  return [...new Set(reads.map(({ start }) => start / PART + 1))].sort((a, b) => a - b);
}

describe('stored parts, on resume', () => {
  it.each<[VerifyResume, number[]]>([
    ['full', [...STORED, 11]],
    ['sample', [1, 2, 4, 5, 6, 7, 9, 10, 11]],
    ['none', [11]],
  ])(
    'are read as far as --verify-resume %s says, and the proof is called full only if they all were',
    async (verifyResume, read) => {
      const bench = await EngineBench.start();
      const bytes = seededBytes(10 * PART + 1_000, 61);
      const session = await halfStored(bench, bytes);
      const source = recordedSource(bytes);
      const result = await bench.run(session, source, { verifyResume }).result;
      expect(partsRead(source)).toEqual(read);
      const unread = STORED.length + 1 - read.length;
      expect(result).toMatchObject({
        proof: unread === 0 ? 'full' : 'partial',
        unprovenBytes: unread * PART,
        bytesSent: 1_000,
        checksum: checksumOf(bytes),
      });
      expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
    },
  );

  it.each<[VerifyResume, number]>([
    ['full', 3],
    ['sample', 4],
  ])('with other bytes than the file end the upload where --verify-resume %s reads them', async (verifyResume, partNumber) => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(10 * PART + 1_000, 62);
    const session = await halfStored(bench, bytes);
    const run = bench.run(session, flippedIn(bytes, partNumber), { verifyResume });
    await expect(run.result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(await bench.store.headObject('video.mp4')).toBeUndefined();
  });

  it.each<[VerifyResume, number]>([
    ['sample', 3],
    ['none', 1],
  ])(
    'with other bytes than the file, which --verify-resume %s does not read, become the object, and the proof is called partial',
    async (verifyResume, partNumber) => {
      const bench = await EngineBench.start();
      const bytes = seededBytes(10 * PART + 1_000, 63);
      const session = await halfStored(bench, bytes);
      const result = await bench.run(session, flippedIn(bytes, partNumber), { verifyResume }).result;
      expect(result).toMatchObject({ proof: 'partial', checksum: checksumOf(bytes) });
      expect(Buffer.compare(await bench.readObject('video.mp4'), bytes)).toBe(0);
    },
  );

  it('that the caller vouches for need no reading, so that the proof is full all the same', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 64);
    const session = await bench.open(recordedSource(bytes), CHUNKED);
    await bench.storeParts(session, bytes, [1]);
    const knownChecksums = new Map([[1, checksumOf(bytes.subarray(0, PART))]]);
    const source = recordedSource(bytes);
    const result = await bench.run(session, source, { verifyResume: 'none', knownChecksums }).result;
    expect(partsRead(source)).toEqual([2]);
    expect(result).toMatchObject({ proof: 'full', unprovenBytes: 0 });
  });

  it('of which there are none leave nothing unproven', async () => {
    const bench = await EngineBench.start();
    const source = recordedSource(seededBytes(PART + 1, 65));
    const result = await bench.run(await bench.open(source, CHUNKED), source, { verifyResume: 'none' }).result;
    expect(result).toMatchObject({ proof: 'full', unprovenBytes: 0 });
  });

  it('that the store loses are sent from the file, and are proven then', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(3 * PART, 66);
    const session = await bench.open(recordedSource(bytes), CHUNKED);
    await bench.storeParts(session, bytes, [1]);
    bench.proxy.plan = async ({ partNumber, attempt }) => {
      if (partNumber === 2 && attempt === 1) await bench.loseUploads('video.mp4');
      return undefined;
    };
    const result = await bench.run(session, recordedSource(bytes), { verifyResume: 'none' }).result;
    expect(bench.proxy.putsOf(1)).toBe(1);
    expect(result).toMatchObject({ proof: 'full', unprovenBytes: 0 });
  });
});

describe('a completed session', () => {
  async function aCompletedOne(bench: EngineBench, bytes: Uint8Array): Promise<Session> {
    const session = await bench.open(recordedSource(bytes), CHUNKED);
    await bench.run(session, recordedSource(bytes)).result;
    return bench.controlPlane.get(session.sessionId);
  }

  it('is not compared with --verify-resume none, and says that nothing of it is proven', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 67);
    const session = await aCompletedOne(bench, bytes);
    const source = flippedIn(bytes, 1);
    const result = await bench.run(session, source, { verifyResume: 'none' }).result;
    expect(source.reads).toEqual([]);
    expect(result).toMatchObject({ bytesSent: 0, proof: 'partial', unprovenBytes: 2 * PART });
  });

  it('is compared with --verify-resume none where the caller vouches for every part', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 68);
    const session = await aCompletedOne(bench, bytes);
    const known = (of: Uint8Array) =>
      new Map(
        [1, 2].map((partNumber) => {
          const { start, end } = partRange(session, session.size, partNumber);
          return [partNumber, checksumOf(of.subarray(start, end))];
        }),
      );
    const run = (of: Uint8Array) => bench.run(session, recordedSource(of), { verifyResume: 'none', knownChecksums: known(of) });
    expect(await run(bytes).result).toMatchObject({ proof: 'full' });
    await expect(run(withFlippedByte(bytes, 70_000)).result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('is read whole with --verify-resume sample: its one checksum says nothing of some parts', async () => {
    const bench = await EngineBench.start();
    const bytes = seededBytes(2 * PART, 69);
    const session = await aCompletedOne(bench, bytes);
    expect(await bench.run(session, recordedSource(bytes), { verifyResume: 'sample' }).result).toMatchObject({ proof: 'full' });
    const other = bench.run(session, flippedIn(bytes, 2), { verifyResume: 'sample' });
    await expect(other.result).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });
});
