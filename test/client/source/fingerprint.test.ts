import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blobSource } from '../../../src/client/source/byte-source.ts';
import { openFileSource } from '../../../src/client/source/file-source.ts';
import { fingerprint } from '../../../src/client/source/fingerprint.ts';
import { aFolder, recordedSource, seededBytes, withFlippedByte } from '../../support/client/sources.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

const fingerprintOf = (bytes: Uint8Array) => fingerprint(recordedSource(bytes));

describe('a fingerprint', () => {
  it('is the same for the same content under another name, at another time, in a file or in memory', async () => {
    const folder = await aFolder();
    const bytes = seededBytes(3 * MiB, 1);
    await writeFile(join(folder, 'a.mp4'), bytes);
    await writeFile(join(folder, 'b.mov'), bytes);
    await utimes(join(folder, 'b.mov'), 0, 0);
    const [a, b] = await Promise.all([openFileSource(join(folder, 'a.mp4')), openFileSource(join(folder, 'b.mov'))]);
    const prints = await Promise.all([a, b, blobSource(new Blob([new Uint8Array(bytes)]))].map(fingerprint));
    await Promise.all([a.close(), b.close()]);
    expect(new Set(prints).size).toBe(1);
  });

  it('carries its version and the size, and fits the wire', async () => {
    expect(await fingerprintOf(seededBytes(3 * MiB, 1))).toMatch(/^v1-3145728-[0-9a-f]{64}$/);
    expect((await fingerprintOf(new Uint8Array())).length).toBeLessThanOrEqual(200);
  });

  it('does not change from one release to the next, or uploads would not be found again', async () => {
    expect(await fingerprintOf(new Uint8Array())).toBe('v1-0-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(await fingerprintOf(seededBytes(3 * MiB, 1))).toMatchInlineSnapshot(
      `"v1-3145728-572603aff821e87e8a7417e37d8642c3457386c01187c678715f03fc41de55b9"`,
    );
  });

  it('differs by size alone', async () => {
    expect(await fingerprintOf(Buffer.alloc(2 * MiB))).not.toBe(await fingerprintOf(Buffer.alloc(2 * MiB + 1)));
    expect(await fingerprintOf(new Uint8Array())).not.toBe(await fingerprintOf(Buffer.alloc(1)));
  });

  const large = seededBytes(64 * MiB, 2);
  const lastStart = large.length - 64 * KiB;

  it.each([
    ['first byte', 0],
    ['last byte of the first sample', 64 * KiB - 1],
    ['first byte of a sample in the middle', Math.floor((lastStart * 7) / 15)],
    ['first byte of the last sample', lastStart],
    ['last byte', large.length - 1],
  ])('differs by the %s of a large file', async (_, at) => {
    expect(await fingerprintOf(withFlippedByte(large, at))).not.toBe(await fingerprintOf(large));
  });

  it('is blind between the samples of a large file: it finds a session, it proves nothing', async () => {
    expect(await fingerprintOf(withFlippedByte(large, 64 * KiB))).toBe(await fingerprintOf(large));
  });

  it('reads at most 1 MiB of a file, however large', async () => {
    const source = recordedSource(large);
    await fingerprint(source);
    expect(source.reads.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(MiB);
  });

  it('sees every byte of a file of up to 1 MiB', async () => {
    const position = fc
      .integer({ min: 1, max: MiB })
      .chain((size) => fc.tuple(fc.constant(size), fc.oneof(fc.integer({ min: 0, max: size - 1 }), fc.constant(size - 1))));
    const bytes = seededBytes(MiB, 3);
    await fc.assert(
      fc.asyncProperty(position, async ([size, at]) => {
        const small = bytes.subarray(0, size);
        expect(await fingerprintOf(withFlippedByte(small, at))).not.toBe(await fingerprintOf(small));
      }),
      { seed: 20261123, numRuns: 60 },
    );
  });
});
