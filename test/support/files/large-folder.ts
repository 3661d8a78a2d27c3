import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes a new folder for files of a gigabyte: on the disk, also where the run keeps its other temporary data in memory. The test removes it. */
export function aLargeFolder(): string {
  return mkdtempSync(join(process.env.PARTWAY_TEST_DISK ?? tmpdir(), 'partway-large-'));
}
