import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readLines } from '../../../src/server/audit/lines.ts';
import { type AuditFilter, readAudit } from '../../../src/server/audit/read-audit.ts';

const NOON = '2026-11-23T12:00:00.000Z';
const LONG = 64 * 1024 + 1;

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partway-audit-'));
  path = join(folder, 'audit.jsonl');
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(...lines: (object | string)[]): void {
  writeFileSync(path, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
}

async function read(filter: AuditFilter = {}) {
  const sizes: (number | undefined)[] = [];
  let damaged = 0;
  for await (const batch of readAudit(path, filter)) {
    sizes.push(...batch.records.map(({ line }) => line.size));
    damaged += batch.damaged;
  }
  return { sizes, damaged };
}

describe('reading the audit log', () => {
  it.each<[string, AuditFilter, number[]]>([
    ['nothing', {}, [1, 2, 3, 4]],
    ['a session', { sessionId: 'ses_1' }, [1, 3]],
    ['the name of a token', { token: 'camera-van' }, [1, 2]],
    ['the id of a token', { token: 'tok_2' }, [3]],
    ['events', { events: ['refused', 'expired'] }, [2, 4]],
    ['a time', { since: Date.parse(NOON) + 2 }, [3, 4]],
    ['several things at once', { sessionId: 'ses_1', token: 'tok_1' }, [1]],
  ])('by %s yields the matching lines, in order', async (_, filter, expected) => {
    write(
      { at: '2026-11-23T12:00:00.000Z', event: 'created', token: 'camera-van', tokenId: 'tok_1', sessionId: 'ses_1', size: 1 },
      { at: '2026-11-23T12:00:00.001Z', event: 'refused', token: 'camera-van', tokenId: 'tok_1', size: 2 },
      { at: '2026-11-23T12:00:00.002Z', event: 'completed', token: 'editor', tokenId: 'tok_2', sessionId: 'ses_1', size: 3 },
      { at: '2026-11-23T12:00:00.003Z', event: 'expired', sessionId: 'ses_2', size: 4 },
    );
    expect(await read(filter)).toEqual({ sizes: expected, damaged: 0 });
  });

  it.each([
    ['half a line', '{"at":"2026-11-23T12:00:00.000Z","ev'],
    ['two lines in one, the second short of something', `{"at":"${NOON}","event":"cre{"at":"${NOON}"}`],
    ['a line within a line', `{"key":{"at":"${NOON}","event":"created"}}`],
    ['text', 'hello'],
    ['a list', '[]'],
    ['null', 'null'],
    ['no event', { at: NOON }],
    ['no time', { event: 'created' }],
    ['a time that is none', { event: 'created', at: 'noon' }],
    ['a key that is no text', { at: NOON, event: 'created', key: { toString: 'x' } }],
    ['a size that is no number', { at: NOON, event: 'created', size: '7' }],
    ['a line without end', 'x'.repeat(10 * LONG)],
  ])('counts %s as damaged, and goes on', async (_, damaged) => {
    write({ at: NOON, event: 'created', size: 1 }, damaged, { at: NOON, event: 'created', size: 2 });
    expect(await read()).toEqual({ sizes: [1, 2], damaged: 1 });
  });

  it('loses no line behind the half line of a killed process, whatever its key contains', async () => {
    const whole = { at: NOON, event: 'created', key: '{"at":"', size: 2 };
    write(`{"at":"${NOON}","event":"cre${JSON.stringify(whole)}`);
    expect(await read()).toEqual({ sizes: [2], damaged: 1 });
  });

  it('reads events that only a newer server knows', async () => {
    write({ at: NOON, event: 'renamed', size: 1, newName: 'b.mov' });
    expect(await read()).toEqual({ sizes: [1], damaged: 0 });
  });

  it('reads a last line without its end, and an empty file', async () => {
    writeFileSync(path, `\n\n${JSON.stringify({ at: NOON, event: 'created', size: 1 })}`);
    expect(await read()).toEqual({ sizes: [1], damaged: 0 });
    writeFileSync(path, '');
    expect(await read()).toEqual({ sizes: [], damaged: 0 });
  });
});

describe('readLines', () => {
  it('joins lines and characters that lie across chunks', async () => {
    // Lines of many lengths with three bytes per letter, so that chunks end within lines and within letters.
    const lines = Array.from({ length: 20_000 }, (_, index) => '日'.repeat(index % 97) + index);
    write(...lines);
    const found: string[] = [];
    for await (const batch of readLines(path)) found.push(...batch.lines);
    expect(found).toEqual(lines);
  });

  it('skips a last line that is too long and has no end', async () => {
    writeFileSync(path, `a\n${'x'.repeat(10 * LONG)}`);
    const found: string[] = [];
    let skipped = 0;
    for await (const { lines, tooLong } of readLines(path)) {
      found.push(...lines);
      skipped += tooLong;
    }
    expect([found, skipped]).toEqual([['a'], 1]);
  });
});
