import { readdir } from 'node:fs/promises';
import type { ArgsDef, CommandMeta } from 'citty';
import { describe, expect, it } from 'vitest';
import { COMMANDS, isGroup, type Leaf, SECTIONS } from '../../src/cli/commands.ts';
import { test } from '../support/client/cli-test.ts';

interface Named {
  readonly words: readonly string[];
  readonly leaf: Leaf;
}

const LEAVES: readonly Named[] = COMMANDS.flatMap((entry) =>
  isGroup(entry)
    ? entry.subCommands.map((leaf) => ({ words: [entry.name, leaf.name], leaf }))
    : [{ words: [entry.name], leaf: entry }],
);
const GROUPS = COMMANDS.filter(isGroup);

/** The arguments as root help writes them: `SESSION_ID [FILE]`. */
function positionalsOf(args: ArgsDef): string {
  return Object.entries(args)
    .filter(([, { type }]) => type === 'positional')
    .map(([name, { required }]) => (required === false ? `[${name.toUpperCase()}]` : name.toUpperCase()))
    .join(' ');
}

describe('the table of commands', () => {
  it('loads every file of src/cli/commands, each once', async () => {
    const folder = new URL('../../src/cli/commands/', import.meta.url);
    const files = await readdir(folder);
    const defined = await Promise.all(files.map(async (file) => (await import(new URL(file, folder).href)).default));
    const loaded = await Promise.all(LEAVES.map(async ({ leaf }) => (await leaf.load()).default));
    expect(new Set(loaded)).toEqual(new Set(defined));
    expect(loaded).toHaveLength(files.length);
  });

  it.each(LEAVES)('names $words as its file does', async ({ leaf }) => {
    const { command } = (await leaf.load()).default;
    expect(((await command.meta) as CommandMeta).name).toBe(leaf.name);
  });

  it.each(COMMANDS.flatMap((entry) => (isGroup(entry) ? [] : [entry])))('shows the arguments of $name', async (entry) => {
    const args = ((await (await entry.load()).default.command.args) ?? {}) as ArgsDef;
    expect(entry.usage.replace(/--\S+/, '')).toBe(positionalsOf(args));
  });
});

describe('partway --help', () => {
  test('lists every command of the table in its section, with environment and exit codes', async ({ partway }) => {
    const { exitCode, stdout } = await partway(['--help']);
    expect(exitCode).toBe(0);
    for (const entry of COMMANDS) {
      const usage = isGroup(entry) ? entry.subCommands.map(({ name }) => name).join('|') : entry.usage;
      const [, rest = ''] = stdout.text.split(`${SECTIONS[entry.section]}\n`);
      const [section = ''] = rest.split('\n\n');
      expect(section.split('\n').map((line) => line.trim().replace(/ {2,}/, '  '))).toContain(
        `${entry.name} ${usage}`.trim().concat(`  ${entry.summary}`),
      );
    }
    const [, commands = ''] = stdout.text.split(SECTIONS.uploads);
    for (const line of commands.slice(0, commands.indexOf('Environment')).split('\n'))
      expect(line.length).toBeLessThanOrEqual(80);
    for (const word of ['PARTWAY_TOKEN', '130  stopped by Ctrl-C', 'Examples']) expect(stdout.text).toContain(word);
  });

  test.for(LEAVES)('has a page for $words, without colours in a pipe', async ({ words }, { partway }) => {
    const { exitCode, stdout } = await partway([...words, '--help']);
    expect(exitCode).toBe(0);
    for (const word of [`partway ${words.join(' ')}`, 'EXAMPLES', 'ENVIRONMENT', 'EXIT CODES'])
      expect(stdout.text).toContain(word);
    expect(stdout.text).not.toContain('\x1b');
    expect((await partway(['help', ...words])).stdout.text).toBe(stdout.text);
  });

  test.for(GROUPS)('has a page for $name, with its sub-commands', async ({ name, subCommands }, { partway }) => {
    const { exitCode, stdout } = await partway([name, '--help']);
    expect(exitCode).toBe(0);
    for (const { name: word, summary } of subCommands) expect(stdout.text).toMatch(new RegExp(`^ +${word} +${summary}$`, 'm'));
    expect((await partway(['help', name])).stdout.text).toBe(stdout.text);
  });
});

describe('a group of commands', () => {
  test.for(GROUPS)('asks for a word more: $name', async ({ name, subCommands }, { partway }) => {
    for (const words of [[name], [name, '--json'], [name, '--', 'list']]) {
      const { exitCode, stderr } = await partway(words);
      expect(exitCode).toBe(2);
      for (const { name: word } of subCommands) expect(stderr.text).toContain(`partway ${name} ${word}`);
    }
  });

  test('knows no sub-command by another name', async ({ partway }) => {
    const { exitCode, stderr } = await partway(['token', 'creat']);
    expect(exitCode).toBe(2);
    expect(stderr.text).toBe('error: There is no command "token creat".\n  Did you mean: partway token create\n');
    expect((await partway(['token', 'constructor'])).exitCode).toBe(2);
    expect((await partway(['token', 'creat', '--help'])).exitCode).toBe(2);
  });
});

describe('flags before the command', () => {
  test.for([
    [['--json', 'list'], 'partway list [flags]'],
    [['--no-json', 'list'], 'partway list [flags]'],
    [['token', '--json', 'list'], 'partway token list [flags]'],
    [['--json', 'token', 'list'], 'partway token list [flags]'],
  ] as const)('are refused, and not lost: %s', async ([words, expected], { partway }) => {
    const { exitCode, stderr } = await partway([...words]);
    expect(exitCode).toBe(2);
    expect(stderr.text).toContain('Flags come after the command.');
    expect(stderr.text).toContain(expected);
  });
});
