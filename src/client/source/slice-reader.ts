import * as fs from 'node:fs';

/** Large enough that reading does not take the time, small enough that a hundred of them take little memory. */
const PIECE_SIZE = 512 * 1024;

/**
 * Reads slices of one open file into a few buffers that are used again and again. fs.createReadStream makes a new buffer for
 * each piece, and these wait for the garbage collector outside its heap: four parts in flight held 60 MiB of them (measured).
 */
export function createSliceReader(fd: number, explain: (error: NodeJS.ErrnoException) => Error) {
  const spare: Buffer[] = [];

  /** Yields the bytes from `start` to `end` in pieces, each valid until the next one is asked for. Ends early where the file does. */
  return async function* readSlice(start: number, end: number): AsyncGenerator<Uint8Array> {
    const buffer = takeBuffer();
    let reading: Promise<number> | undefined;
    try {
      for (let position = start; position < end; ) {
        reading = readAt(buffer, Math.min(PIECE_SIZE, end - position), position);
        const bytesRead = await reading;
        if (bytesRead === 0) return;
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      // A slice may be left early; its buffer is free once no read into it is under way.
      await reading?.catch(() => 0);
      spare.push(buffer);
    }
  };

  function readAt(buffer: Buffer, length: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(fd, buffer, 0, length, position, (error, bytesRead) => (error ? reject(explain(error)) : resolve(bytesRead)));
    });
  }

  function takeBuffer(): Buffer {
    return spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_SIZE);
  }
}
