import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skipBecause } from '../../support/skip-because.ts';

const PARTWAY = fileURLToPath(new URL('../../../bin/partway.js', import.meta.url));
const LINES = 500_000;
const BLOCK = 10_000;
/** A quarter of the file's size. */
const MAX_HEAP_MIB = 32;

describe('partway audit with a log of half a million lines', () => {
  let folder: string;
  let path: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'partway-e2e-'));
    path = join(folder, 'audit.jsonl');
    const descriptor = openSync(path, 'w');
    for (let written = 0; written < LINES; written += BLOCK) {
      const lines = Array.from({ length: BLOCK }, (_, index) => aLine(written + index));
      writeSync(descriptor, `${lines.join('\n')}\n`);
    }
    closeSync(descriptor);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function aLine(size: number): string {
    const who = { token: 'camera-van', tokenId: 'tok_1', address: '192.0.2.7', requestId: `req_${size}` };
    const what = { sessionId: `ses_${size % 1_000}`, bucket: 'videos', key: `shoots/2026-11-23/C${size}.MOV`, size };
    return JSON.stringify({ at: '2026-11-23T12:00:00.000Z', event: 'created', ...who, ...what, operation: 'createUpload' });
  }

  /** Runs a shell command in which `partway` has a heap smaller than the file. */
  function run(command: string) {
    const env = { PATH: process.env.PATH, PARTWAY_AUDIT_LOG: path, NODE_OPTIONS: `--max-old-space-size=${MAX_HEAP_MIB}` };
    const partway = `"${process.execPath}" "${PARTWAY}"`;
    return promisify(execFile)('sh', ['-c', `partway() { ${partway} "$@"; }; ${command}`], { env });
  }

  it('reads the log in memory that does not depend on its length', async (context) => {
    if (process.platform === 'win32') skipBecause(context, 'needs a shell');
    expect((await run('partway audit --session ses_7 --last 1 --json')).stdout).toBe(`${aLine(LINES - 1_000 + 7)}\n`);
    expect((await run('partway audit --json | wc -l')).stdout.trim()).toBe(String(LINES));
  });

  it('ends silently when its reader closes the pipe', async (context) => {
    if (process.platform === 'win32') skipBecause(context, 'needs a shell');
    const { stdout, stderr } = await run('{ partway audit --json; echo "exit code $?" >&2; } | head -n 1');
    expect(stdout).toBe(`${aLine(0)}\n`);
    expect(stderr).toBe('exit code 0\n');
  });
});
