// Run by kill.test.ts: replaces all parts of a session again and again, and says so after each time, until killed.
// Plain JavaScript on the built store: a child process on Node 20 runs no TypeScript.
import { openSqliteStore } from '../../../dist/session-store/sqlite/session-store.js';

const [file, sessionId, partCount] = process.argv.slice(2);
const store = openSqliteStore(file);

for (let round = 1; ; round++) {
  const parts = Array.from({ length: Number(partCount) }, (_, index) => ({
    partNumber: index + 1,
    etag: `"round-${round}"`,
    checksum: null,
    size: round,
  }));
  await store.replaceParts(sessionId, 1, parts, Date.now());
  await new Promise((resolve) => process.stdout.write(`${round}\n`, resolve));
}
