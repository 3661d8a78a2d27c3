import { mkdtemp, open, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ByteSource } from '../../../src/client/source/byte-source.ts';

/** Returns bytes that look random and are the same for the same seed (xorshift32). */
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

/** Returns a copy with one bit of one byte changed. */
export function withFlippedByte(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** Creates a folder, which is removed when the test ends. */
export async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'partway-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Whole seconds, which `utimes` restores exactly. */
const LONG_AGO = 1_700_000_000;

/** Creates a file whose modification time is long ago. */
export async function writeOldFile(path: string, bytes: Uint8Array): Promise<void> {
  await writeFile(path, bytes);
  await utimes(path, LONG_AGO, LONG_AGO);
}

/** Changes bytes in a file from `writeOldFile` and restores its times, as exiftool -P, touch -r and rsync --inplace -t do. */
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

/** Returns a source in memory that records which ranges were read. `beforePiece` runs before each piece of 64 KiB is returned. */
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
