import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Creates a folder for files of a gigabyte. It is on the disk even if the run keeps its other temporary data in memory. The test removes it. */
export function aLargeFolder(): string {
  return mkdtempSync(join(process.env.PARTWAY_TEST_DISK ?? tmpdir(), 'partway-large-'));
}
