import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AuditLine } from '../../../src/server/audit/event.ts';
import { readAudit } from '../../../src/server/audit/read-audit.ts';
import { skipBecause } from '../../support/skip-because.ts';

const WRITER = fileURLToPath(new URL('./write-events.js', import.meta.url));
const BUILT_LOG = fileURLToPath(new URL('../../../dist/server/audit/audit-log.js', import.meta.url));

let folder: string;
let path: string;

beforeEach(() => {
  expect(existsSync(BUILT_LOG), 'needs `npm run build` first, as `npm test` does').toBe(true);
  folder = mkdtempSync(join(tmpdir(), 'partway-audit-'));
  path = join(folder, 'audit.jsonl');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Runs a process that records events, kills it after `enough` of them, and returns the last one that it named. */
async function recordAndKill(name: string, enough: number, keyLength = 1_000): Promise<number> {
  const writer = spawn(process.execPath, [WRITER, path, name, String(keyLength)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(writer, 'exit');
  let named = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    named = Number(line);
    if (named === enough) writer.kill('SIGKILL');
  }
  await exited;
  return named;
}

async function readRecords(): Promise<readonly AuditLine[]> {
  const lines: AuditLine[] = [];
  for await (const { records } of readAudit(path, {})) lines.push(...records.map(({ line }) => line));
  return lines;
}

it('keeps every event that was recorded before a kill -9, of several processes at once', async () => {
  const writers = ['serve', 'token', 'sweep'];
  const named = await Promise.all(writers.map((name) => recordAndKill(name, 500)));
  const lines = await readRecords();
  for (const [index, name] of writers.entries()) {
    const sizes = lines.filter(({ token }) => token === name).map(({ size }) => size);
    expect(named[index]).toBeGreaterThanOrEqual(500);
    expect(sizes.length).toBeGreaterThanOrEqual(named[index] ?? 0);
    expect(sizes).toEqual(sizes.map((_, at) => at + 1));
  }
});

it('ends a line that a full disk cut short before it goes on', async (context) => {
  if (process.platform === 'win32') skipBecause(context, 'needs a limit on the size of files (ulimit -f)');
  // 2,048 or 4,096 bytes: neither is a whole number of lines with keys of this length.
  const limited = ['-c', 'ulimit -f 4; exec "$@"', 'sh', process.execPath, WRITER, path, 'serve', '150'];
  const writer = spawn('sh', limited, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(writer, 'exit');
  const [fault] = await once(writer.stderr.setEncoding('utf8'), 'data');
  expect(fault).toContain('an event could not be written to the audit log');
  expect(readFileSync(path, 'utf8').endsWith('\n')).toBe(false);
  // There is room again. Nothing is in the file, so the next line shows how it begins.
  truncateSync(path, 0);
  await once(createInterface({ input: writer.stdout }), 'line');
  await expect.poll(() => readFileSync(path, 'utf8')).toMatch(/^\n\{"at":[^\n]*\}\n/);
  writer.kill('SIGKILL');
  await exited;
});
