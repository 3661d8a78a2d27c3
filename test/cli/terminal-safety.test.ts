import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { shellQuote } from '../../src/cli/format/shell-quote.ts';
import { createReporter } from '../../src/cli/progress/create-reporter.ts';
import { block, encode, encodeLine, joinStyled, keepColours, styled } from '../../src/cli/terminal/styled-text.ts';
import { aContext, NOON, TextCollector } from '../support/client/cli-run.ts';
import { test } from '../support/client/cli-test.ts';
import type { ScriptedControlPlane } from '../support/server/scripted-control-plane.ts';
import { aWireSession } from '../support/server/wire-sessions.ts';

const NEW_LINE = 'FORGED';
/** Colours and titles, cursor and clearing, C1, bidi, invisible and broken characters, a line break, and text that must stay readable. */
const PIECES = [
  ...['\x1b[31m', '\x1b]0;title\x07', '\x1b[2J', '\r\x1b[2K', '\x1b[1m', '\x1bc', '\x9b2J', '\x9d0;t\x9c', '\x08', '\x7f'],
  ...['\u202e', '\u2066', '\u200f', '\u061c', '\u200b', '\u00ad', '\ufeff', '\u3164', '\u2028', '\ufff9', '\u{e0041}', '\ud800'],
  ...[`\n${NEW_LINE}`, '\r\n', '\t', '\v', 'a', ' ', 'é', '日本', '👩‍💻', '"', "'", '\\', '$(id)', '&#27;[2J', '<b>'],
];
const hostileText = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''));
const SETTINGS = { numRuns: 15 };

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const OURS = /\x1b\[(?:1|2|22|31|32|33|36|39)m|\r\x1b\[2K/g;
const OBEYED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\p{Bidi_Control}\u200b\u00ad\ufeff\u3164\ufff9-\ufffb\u{e0000}-\u{e007f}]/u;

function expectHarmless(sent: string): void {
  for (const line of sent.replaceAll(OURS, '').split('\n')) {
    expect(OBEYED.exec(line)?.[0] ?? '').toBe('');
    expect(line.startsWith(NEW_LINE)).toBe(false);
  }
}

function colouredTerminal() {
  return { stdout: new TextCollector({ columns: 200 }), stderr: new TextCollector({ columns: 200 }) };
}

function sayEverywhere(server: ScriptedControlPlane, text: string, changes: Parameters<typeof aWireSession>[0] = {}): void {
  server.session = aWireSession({ key: text.slice(0, 1_000), fileName: text, bucket: text, etag: text, ...changes });
  server.listed = [server.session];
  server.storeReport = { ...server.storeReport, bucket: text, keyPrefix: text };
}

describe('whatever a server, a store or a file name says, a terminal shows it and obeys nothing', () => {
  test('in list, status, verify, abort and grant', async ({ server, partway, makeFile }) => {
    await makeFile('a.mov', Buffer.from('other bytes'));
    await fc.assert(
      fc.asyncProperty(hostileText, async (text) => {
        sayEverywhere(server, text);
        const { sessionId } = server.session;
        for (const argv of [
          ['list'],
          ['status', sessionId],
          ['verify', sessionId, 'a.mov'],
          ['grant', sessionId],
          ['abort', sessionId],
        ]) {
          const { stdout, stderr } = await partway(argv, colouredTerminal());
          expect(stdout.text + stderr.text).not.toBe('');
          expectHarmless(stdout.text + stderr.text);
        }
      }),
      SETTINGS,
    );
  });

  test('in every error: its words, and the commands that are offered', async ({ server, partway, makeFile }) => {
    await makeFile('a.mov', Buffer.from('bytes'));
    await fc.assert(
      fc.asyncProperty(hostileText, async (text) => {
        server.refuse('GET /api/uploads/{id}', 'INTERNAL', text, { hint: text, sessionId: text });
        server.refuse('GET /api/uploads', 'FORBIDDEN', text, { hint: text });
        server.refuse('POST /api/uploads', 'SESSION_PLAN_DIFFERS', text, { hint: text, sessionId: text });
        for (const argv of [
          ['status', 'ses_1'],
          ['resume', 'ses_1', 'a.mov'],
          ['list'],
          ['upload', 'a.mov', '--key', `k${text}`],
        ]) {
          const { stdout, stderr, exitCode } = await partway(argv, colouredTerminal());
          expect(exitCode).not.toBe(0);
          expectHarmless(stdout.text + stderr.text);
        }
      }),
      SETTINGS,
    );
  });

  test('in what is typed: ids, commands, flags, paths', async ({ partway }) => {
    await fc.assert(
      fc.asyncProperty(hostileText, async (text) => {
        const lines = [
          [text],
          ['status', text],
          ['help', text],
          [`--${text}`],
          ['list', '--status', text],
          ['upload', text],
          ['pause', text],
        ];
        for (const argv of [...lines, ['resume', text, text], ['verify', text], ['upload', 'a', `--limit=${text}`]]) {
          const { stdout, stderr } = await partway(argv, colouredTerminal());
          expectHarmless(stdout.text + stderr.text);
        }
      }),
      SETTINGS,
    );
  });

  test('in doctor: the words of the server, and those of the store with their entities', async ({ server, partway }) => {
    await fc.assert(
      fc.asyncProperty(hostileText, async (text) => {
        sayEverywhere(server, text, { size: 5, partSize: 5, partCount: 1, strategy: 'single' });
        server.storeAnswer = { status: 403, body: `<Error><Code>${text}</Code><Message>&#27;[2J${text}</Message></Error>` };
        const { stdout, stderr } = await partway(['doctor'], colouredTerminal());
        expect(stdout.text).toContain('store takes a part');
        expectHarmless(stdout.text + stderr.text);
      }),
      SETTINGS,
    );
  });

  test('in upload: names of files, keys and the refusals of a store', async ({ server, partway, folder }) => {
    await fc.assert(
      fc.asyncProperty(hostileText, fc.boolean(), async (text, isRefused) => {
        const name = `${text.replaceAll('/', '_')}.mov`;
        writeFileSync(join(folder, name), 'bytes');
        sayEverywhere(server, text, { size: 5, partSize: 5, partCount: 1, strategy: 'single' });
        server.parts.clear();
        server.storeAnswer = isRefused
          ? { status: 400, body: `<Error><Code>X${text}</Code><Message>&#27;[2J${text}</Message></Error>` }
          : undefined;
        const { stdout, stderr, exitCode } = await partway(
          ['upload', name, '--key', 'a.mov', '--strategy', 'single'],
          colouredTerminal(),
        );
        expect(exitCode).toBe(isRefused ? 7 : 0);
        expect(stdout.text + stderr.text).toContain('.mov');
        expectHarmless(stdout.text + stderr.text);
        await rm(join(folder, name));
      }),
      SETTINGS,
    );
  });

  test('in the line that moves and in those above it: reasons of outages, notes, warnings', () => {
    fc.assert(
      fc.property(hostileText, fc.constantFrom(60, 90, 300), fc.boolean(), (text, columns, isTerminal) => {
        const terminal = isTerminal ? new TextCollector({ columns }) : new TextCollector();
        const context = aContext({ stderr: terminal });
        const reporter = createReporter(context, { json: true, quiet: false });
        const session = aWireSession({ key: text, bucket: text });
        reporter.begin({ name: text, session, created: false });
        reporter.strategy({ strategy: 'multipart', network: 'reliable', reason: text, partSize: 1, partCount: 2 });
        reporter.event({ type: 'offline', what: text, since: NOON, reason: text, nextTryInMs: 5_000 });
        reporter.note(text);
        reporter.event({ type: 'online', what: text, outageMs: 10 });
        reporter.warn(text);
        reporter.end();
        expect(terminal.text).toContain('uploading ');
        expectHarmless(terminal.text + context.stdout.text);
        expect(context.stdout.jsonLines.at(-1)).toEqual(JSON.parse(JSON.stringify({ type: 'warning', message: text })));
      }),
    );
  });

  test('with --json, which stays the JSON of exactly these texts', async ({ server, partway }) => {
    await fc.assert(
      fc.asyncProperty(hostileText, async (text) => {
        sayEverywhere(server, text);
        const { stdout } = await partway(['list', '--json']);
        expectHarmless(stdout.text);
        expect(stdout.jsonLines).toEqual([JSON.parse(JSON.stringify(server.session))]);
      }),
      SETTINGS,
    );
  });
});

describe('names stay readable', () => {
  test.for(['Día 1 – «Šípková».mov', '日本の朝.mov', 'مقدمه می‌خواهم.mov', '👩‍💻 take 2 🏴󠁧󠁢󠁥󠁮󠁧󠁿.mov', 'e\u0301te\u0301.mov'])(
    '%s is shown as it is',
    async (key, { server, partway }) => {
      server.listed = [aWireSession({ key })];
      expect((await partway(['list'])).stdout.text).toContain(key);
    },
  );
});

describe('text with escape sequences', () => {
  test('has only the sequences of partway, whatever is put into it', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const nested = styled`${text} ${joinStyled([text, styled`${text}`], text)}`;
        for (const each of [encode(text), encodeLine(text), encodeLine(nested), encode(block(text))])
          expectHarmless(each.replaceAll(`\n${NEW_LINE}`, '\n'));
        expectHarmless(encodeLine(keepColours(text)).replaceAll(`\n${NEW_LINE}`, '\n'));
        expect(OBEYED.test(String(nested).replaceAll('\n', ''))).toBe(false);
      }),
    );
  });

  test('is created by one file alone', async () => {
    const folder = new URL('../../src/cli/', import.meta.url);
    const writers = [];
    for (const path of await readdir(folder, { recursive: true })) {
      if (!path.endsWith('.ts')) continue;
      const source = await readFile(new URL(path, folder), 'utf8');
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
      if (/process\.std|console\.|\\x1b|\\u001b|\x1b/.test(source.replaceAll(/^ *(?:\*|\/\*\*).*$/gm, ''))) writers.push(path);
    }
    expect(writers.sort()).toEqual(['main.ts', 'terminal/styled-text.ts']);
  });
});

describe('a path with characters that a terminal obeys', () => {
  test('can be pasted into a shell, and names the same file', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const path = Buffer.from(text).toString();
        const quoted = shellQuote(path);
        expectHarmless(quoted);
        expect(execFileSync('bash', ['-c', `printf %s ${quoted}`]).toString()).toBe(path);
      }),
      { numRuns: 40 },
    );
  });
});
