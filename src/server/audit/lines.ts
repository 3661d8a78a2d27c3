import { createReadStream } from 'node:fs';

const CHUNK_BYTES = 256 * 1024;
/** Longest line that is read; lines of the audit log are far shorter. */
const MAX_LINE_BYTES = 64 * 1024;
const LINE_FEED = 10;

export interface LineBatch {
  readonly lines: readonly string[];
  /** Number of lines that were skipped unread because they are too long, so that memory does not depend on the contents of the file. */
  readonly tooLong: number;
}

/** Yields the lines of a file, one chunk at a time, without empty ones. @throws the system's error. */
export async function* readLines(path: string): AsyncGenerator<LineBatch> {
  let rest: Buffer = Buffer.alloc(0);
  let isSkipping = false;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    const end = bytes.lastIndexOf(LINE_FEED);
    rest = bytes.subarray(end + 1);
    if (end !== -1) {
      const lines = bytes.toString('utf8', 0, end).split('\n');
      if (isSkipping) lines.shift();
      yield { lines: lines.filter((line) => line !== ''), tooLong: isSkipping ? 1 : 0 };
      isSkipping = false;
    }
    if (rest.length > MAX_LINE_BYTES) isSkipping = true;
    if (isSkipping) rest = Buffer.alloc(0);
  }
  if (isSkipping) yield { lines: [], tooLong: 1 };
  else if (rest.length > 0) yield { lines: [rest.toString()], tooLong: 0 };
}
