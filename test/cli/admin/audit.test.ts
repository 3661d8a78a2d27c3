import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect } from 'vitest';
import { TextOutput } from '../../../src/cli/terminal/text-output.ts';
import { AUDIT_EVENTS } from '../../../src/contract/audit-events.ts';
import type { AuditLine } from '../../../src/server/audit/event.ts';
import { NOON, runForTest, type TestContext } from '../../support/client/cli-run.ts';
import { test } from '../../support/client/cli-test.ts';

const HOUR_MS = 3_600_000;
const CREATED = {
  at: '2026-11-23T11:30:00.123Z',
  event: 'created',
  token: 'camera-van',
  tokenId: 'tok_1',
  address: '192.0.2.7',
  sessionId: 'ses_01kaz3v8f6q2m4n7x9y0w5r1td',
  bucket: 'videos',
  key: 'a.mov',
  size: 12,
  operation: 'createUpload',
} satisfies AuditLine;

/** Runs audit in a folder with the database of a server, at noon. */
function audit(folder: string, words: readonly string[] = [], overrides: Partial<TestContext> = {}) {
  const env = { LANG: 'C.UTF-8', PARTWAY_DATABASE_URL: 'partway.db' };
  return runForTest(['audit', ...words], { env, workingDirectory: folder, ...overrides });
}

async function writeLog(folder: string, ...lines: (Partial<AuditLine> | string)[]): Promise<string> {
  const path = join(folder, 'audit.jsonl');
  await writeFile(path, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
  return path;
}

function manyLines(count: number): AuditLine[] {
  return Array.from({ length: count }, (_, size) => ({ ...CREATED, size }));
}

describe('audit', () => {
  test('is a table for people, without a server and without a token', async ({ folder }) => {
    await writeLog(
      folder,
      CREATED,
      {
        at: '2026-11-23T11:31:00.000Z',
        event: 'refused',
        address: '2001:db8::1',
        code: 'UNAUTHORIZED',
        operation: 'listUploads',
      },
      { at: '2026-11-23T11:32:00.000Z', event: 'refused', address: '2001:db8::1', code: 'UNAUTHORIZED', furtherLeftOut: true },
      { at: '2026-11-23T11:33:00.000Z', event: 'refused', address: '2001:db8::1', leftOut: 940 },
    );
    const { exitCode, stdout, stderr } = await audit(folder);
    expect(stderr.text).toBe('');
    expect(exitCode).toBe(0);
    expect(stdout.lines).toEqual([
      expect.stringMatching(/^AT +EVENT +TOKEN +ADDRESS +SESSION +SIZE +ABOUT$/),
      '2026-11-23T11:30:00Z  created  camera-van  192.0.2.7    ses_01kaz3v8f6q2m4n7x9y0w5r1td  12 bytes  createUpload videos/a.mov',
      expect.stringMatching(/^2026-11-23T11:31:00Z {2}refused +2001:db8::1 +UNAUTHORIZED listUploads$/),
      expect.stringMatching(/UNAUTHORIZED \(further ones are only counted\)$/),
      expect.stringMatching(/2001:db8::1 +940 more like these were not written down$/),
    ]);
  });

  test('escapes characters that a terminal would obey', async ({ folder }) => {
    await writeLog(folder, { ...CREATED, key: '\x1b[2J\u202egpj.exe\nfake', token: '\x9b31m' });
    const { stdout } = await audit(folder);
    expect(stdout.lines).toHaveLength(2);
    expect(stdout.lines[1]).toContain('  \\u009b31m  ');
    expect(stdout.lines[1]).toMatch(/videos\/\\u001b\[2J\\u202egpj\.exe\\u000afake$/);
  });

  test('writes the lines as they are with --json, all of them', async ({ folder }) => {
    const lines = manyLines(300).map((line) => JSON.stringify(line));
    // Fields in another order and an unknown field must come out unchanged.
    lines.push('{"event":"created","new":1,   "at":"2026-11-23T11:30:00.123Z"}');
    await writeLog(folder, ...lines);
    const { stdout, stderr } = await audit(folder, ['--json']);
    expect(stdout.text).toBe(`${lines.join('\n')}\n`);
    expect(stderr.text).toBe('');
  });

  test('shows the last 200, or as many as asked for, and says that there are more', async ({ folder }) => {
    await writeLog(folder, ...manyLines(5_000));
    const few = await audit(folder);
    expect(few.stdout.lines).toHaveLength(201);
    expect(few.stdout.lines.at(-1)).toContain('4.88 KiB');
    expect(few.stderr.text).toBe('These are the last 200 of 5000; --last 5000 shows more.\n');
    expect((await audit(folder, ['--last', '2', '--json'])).stdout.jsonLines).toMatchObject([{ size: 4_998 }, { size: 4_999 }]);
    const all = await audit(folder, ['--last', '5000']);
    expect([all.stdout.lines.length, all.stderr.text]).toEqual([5_001, '']);
  });

  test('filters by session, token, events and time', async ({ folder }) => {
    const old = { ...CREATED, at: new Date(NOON - 25 * HOUR_MS).toISOString(), size: 1 };
    const others = [{ sessionId: 'ses_2' }, { token: 'editor', tokenId: 'tok_2' }, { event: 'expired' }];
    await writeLog(folder, old, ...others.map((change) => ({ ...CREATED, ...change, size: 2 })), { ...CREATED, size: 3 });
    const words = ['--session', CREATED.sessionId, '--token', 'camera-van', '--event', 'created, refused', '--since', '24h'];
    expect((await audit(folder, [...words, '--json'])).stdout.jsonLines).toMatchObject([{ size: 3 }]);
    for (const [at, flag] of ['--session', '--token', '--event', '--since'].entries()) {
      const fewer = words.toSpliced(at * 2, 2);
      expect((await audit(folder, [...fewer, '--json'])).stdout.jsonLines, `without ${flag}`).toHaveLength(2);
    }
  });

  test('says when nothing fits', async ({ folder }) => {
    await writeLog(folder, CREATED);
    expect((await audit(folder, ['--session', 'ses_9'])).stdout.text).toBe('No such events.\n');
    expect((await audit(folder, ['--session', 'ses_9', '--json'])).stdout.text).toBe('');
  });

  test('counts damaged lines and goes on', async ({ folder }) => {
    const path = await writeLog(folder, CREATED, '{"at":"2026-11', 'x', CREATED);
    const { exitCode, stdout, stderr } = await audit(folder);
    expect(exitCode).toBe(0);
    expect(stdout.lines).toHaveLength(3);
    expect(stderr.text).toBe(`warning: 2 damaged lines not shown, in ${path}\n`);
  });

  test('stops reading when the reader of its output has gone', async ({ folder }) => {
    await writeLog(folder, ...manyLines(20_000));
    let written = 0;
    const stdout = new TextOutput({
      write(_, done) {
        written += 1;
        done?.(Object.assign(new Error('EPIPE'), { code: 'EPIPE' }));
      },
    }) as TestContext['stdout'];
    const { exitCode, stderr } = await audit(folder, ['--json'], { stdout });
    expect([exitCode, written, stderr.text]).toEqual([0, 1, '']);
  });

  test.for([
    [{ PARTWAY_AUDIT_LOG: 'logs/a.jsonl', PARTWAY_DATABASE_URL: '/db/p.db' }, 'logs/a.jsonl'],
    [{ PARTWAY_DATABASE_URL: 'db/p.db' }, 'db/audit.jsonl'],
    [{ XDG_DATA_HOME: '/nosuch/data' }, '/nosuch/data/partway/audit.jsonl'],
    [{ XDG_DATA_HOME: '/nosuch/data', PARTWAY_AUDIT_LOG: '' }, '/nosuch/data/partway/audit.jsonl'],
  ] as const)('with %o looks where the server writes, and says where that is', async ([env, path], { folder }) => {
    const { exitCode, stderr } = await audit(folder, [], { env });
    expect(exitCode).toBe(2);
    expect(stderr.lines[0]).toBe(`error: There is no audit log at ${resolve(folder, path)}.`);
    expect(stderr.text).toContain('PARTWAY_AUDIT_LOG or PARTWAY_DATABASE_URL');
  });

  test.for([
    [{ PARTWAY_AUDIT_LOG: 'off' }, 'There is no audit log: PARTWAY_AUDIT_LOG is off.'],
    [{ PARTWAY_DATABASE_URL: ':memory:' }, 'There is no audit log: the database is in memory (PARTWAY_DATABASE_URL).'],
  ] as const)('with %o says that there is none', async ([env, fault], { folder }) => {
    const { exitCode, stderr } = await audit(folder, [], { env });
    expect(exitCode).toBe(2);
    expect(stderr.lines[0]).toBe(`error: ${fault}`);
  });

  test('says what to set if the log is a directory', async ({ folder }) => {
    await mkdir(join(folder, 'audit.jsonl'));
    const { exitCode, stderr } = await audit(folder);
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain(`${join(folder, 'audit.jsonl')} is a directory.`);
  });

  test('names all faults at once', async ({ folder }) => {
    const { exitCode, stderr } = await audit(folder, ['--event', 'created,deleted', '--since', 'monday', '--last', '0']);
    expect(exitCode).toBe(2);
    expect(stderr.lines.slice(0, 3)).toEqual([
      'error: --since: "monday" is not a duration. Write it as 90s, 30m, 24h or 7d.',
      'error: --last: "0" is not a whole number from 1 to 100000.',
      `error: --event: "deleted" is none of ${AUDIT_EVENTS.join(', ')}.`,
    ]);
  });

  test('names every event in its help', async ({ folder }) => {
    const { stdout } = await audit(folder, ['--help']);
    expect(stdout.text).toContain(AUDIT_EVENTS.join(', '));
  });
});
