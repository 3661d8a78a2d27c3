import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8 from trading memory for speed that an upload does not need: its young generation would grow to 48 MiB, and garbage would
 * stay in the old one. Measured for 4 GiB: peak RSS 91 instead of 117 MiB, in the same time. Unlike flags of Node, flags of V8 can be set
 * while it runs; a version that does not know one only prints a warning.
 */
export function keepHeapSmall(command: string | undefined): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  // It would save a server with 200 clients 20 MiB, but cost a fifth more work for each answer.
  if (command !== 'serve') setFlagsFromString('--optimize-for-size');
}
