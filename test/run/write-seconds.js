import { readFileSync, writeFileSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

// Usage: vitest run --reporter=json --outputFile.json=report.json, then node test/run/write-seconds.js report.json
const SHORTEST = 5;
const root = fileURLToPath(new URL('../..', import.meta.url));
const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const files = testResults
  .map(({ name, startTime, endTime }) => [relative(root, name).replaceAll(sep, '/'), Math.round((endTime - startTime) / 1_000)])
  .filter(([, seconds]) => seconds >= SHORTEST)
  .sort(([, a], [, b]) => b - a);
writeFileSync(new URL('seconds.json', import.meta.url), `${JSON.stringify(Object.fromEntries(files), null, 2)}\n`);
console.log(`${files.length} files take ${SHORTEST} s and longer`);
