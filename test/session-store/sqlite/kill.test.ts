import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { insertOpenSession } from '../../support/database/sessions.ts';

const WRITER = fileURLToPath(new URL('./write-until-killed.js', import.meta.url));
const BUILT_STORE = fileURLToPath(new URL('../../../dist/session-store/sqlite/session-store.js', import.meta.url));
const PART_COUNT = 2_000;

/** Kills the writer after `rounds` acknowledged rounds, during the next one; returns the last acknowledged round. */
async function writeAndKill(file: string, sessionId: string, rounds: number): Promise<number> {
  const writer = spawn(process.execPath, [WRITER, file, sessionId, String(PART_COUNT)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(writer, 'exit');
  let acknowledged = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    acknowledged = Number(line);
    if (acknowledged === rounds) writer.kill('SIGKILL');
  }
  await exited;
  return acknowledged;
}

// The assertions hold wherever the signal hits: the result does not depend on timing.
it.each([1, 3, 7])(
  'a writer killed -9 after %d rounds leaves one complete round, not older than the last acknowledged one',
  async (rounds) => {
    expect(existsSync(BUILT_STORE), 'needs `npm run build` first, as `npm test` does').toBe(true);
    const folder = mkdtempSync(path.join(tmpdir(), 'partway-kill-'));
    const file = path.join(folder, 'sessions.db');
    const before = openSqliteStore(file);
    const { sessionId } = await insertOpenSession(before);
    await before.close();

    const acknowledged = await writeAndKill(file, sessionId, rounds);

    const store = openSqliteStore(file);
    const parts = await store.listParts(sessionId, 1);
    await store.close();
    expect(acknowledged).toBeGreaterThanOrEqual(rounds);
    expect(parts).toHaveLength(PART_COUNT);
    expect(new Set(parts.map((part) => part.etag)).size).toBe(1);
    expect(parts[0]?.size).toBeGreaterThanOrEqual(acknowledged);
    rmSync(folder, { recursive: true });
  },
);
