import { createCipheriv } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const BLOCK = 4 * 1024 * 1024;

/**
 * Creates a file of `size` bytes that cannot be compressed, the same bytes every time: the key stream of AES-256-CTR under a key made from
 * `seed`, at gigabytes a second. An existing file is kept, since a file gets its name only once it is complete.
 */
export async function ensureGeneratedFile(path: string, size: number, seed = 'partway'): Promise<void> {
  if ((await sizeOf(path)) === size) return;
  const unfinished = `${path}.unfinished`;
  await pipeline(Readable.from(keyStream(size, seed)), createWriteStream(unfinished));
  await rename(unfinished, path);
}

function* keyStream(size: number, seed: string): Generator<Buffer> {
  const cipher = createCipheriv('aes-256-ctr', Buffer.alloc(32, seed), Buffer.alloc(16));
  const zeros = Buffer.alloc(BLOCK);
  for (let made = 0; made < size; made += BLOCK) {
    yield cipher.update(zeros.subarray(0, Math.min(BLOCK, size - made)));
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch {
    return undefined;
  }
}
