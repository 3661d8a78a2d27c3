import { mkdtemp, open, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ByteSource } from '../../../src/client/source/byte-source.ts';

/** Bytes that look random and are the same for the same seed (xorshift32). */
export function seededBytes(size: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed >>> 0 || 1;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return Buffer.from(words.buffer, 0, size);
}

/** A copy with one bit of one byte changed. */
export function withFlippedByte(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** A new folder that is gone when the test is over. */
export async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'partway-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Whole seconds: `utimes` puts them back exactly. */
const LONG_AGO = 1_700_000_000;

/** Makes a file that was last written long ago. */
export async function writeOldFile(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(path, bytes);
  await utimes(path, LONG_AGO, LONG_AGO);
}

/** Other bytes in a file of `writeOldFile`, and its times as they were: as exiftool -P, touch -r or rsync --inplace -t do it. */
export async function changeUnseen(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(Buffer.from('changed!'), 0, 8, at);
  await file.close();
  await utimes(path, LONG_AGO, LONG_AGO);
}

export interface RecordedSource extends ByteSource {
  /** Ranges read so far, in order. */
  readonly reads: { start: number; end: number }[];
}

/** Bytes in memory that remember what was read of them. `beforePiece` runs before each piece of 64 KiB is handed out. */
export function recordedSource(
  bytes: Uint8Array,
  options: { name?: string; beforePiece?: (start: number) => Promise<void> | void } = {},
): RecordedSource {
  const { name = 'video.mp4', beforePiece } = options;
  const identity = { size: bytes.length, mtimeMs: 0, ctimeNs: '0', device: 0, inode: 0 };
  const reads: { start: number; end: number }[] = [];
  return {
    name,
    size: bytes.length,
    identity,
    reads,
    async *read(start, end) {
      reads.push({ start, end });
      for (let at = start; at < end; at += 65_536) {
        await beforePiece?.(at);
        yield bytes.subarray(at, Math.min(at + 65_536, end));
      }
    },
    identify: () => Promise.resolve(identity),
    close: () => Promise.resolve(),
  };
}
