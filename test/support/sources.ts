import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ByteSource } from '../../src/client/source/byte-source.ts';

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
  const reads: { start: number; end: number }[] = [];
  return {
    name,
    size: bytes.length,
    identity: { size: bytes.length, mtimeMs: 0, device: 0, inode: 0 },
    reads,
    async *read(start, end) {
      reads.push({ start, end });
      for (let at = start; at < end; at += 65_536) {
        await beforePiece?.(at);
        yield bytes.subarray(at, Math.min(at + 65_536, end));
      }
    },
    checkUnchanged: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
