import { stripVTControlCharacters } from 'node:util';
import { type CommandDef, defineCommand, renderUsage } from 'citty';
import { packageVersion } from '../installation/package-version.ts';
import { COMMANDS, type CommandGroup, isGroup, SECTIONS } from './commands.ts';
import { EXIT_CODE_MEANINGS } from './errors/exit-codes.ts';
import type { CommandModule } from './input/command.ts';
import { DEFAULT_SERVER } from './input/environment.ts';
import { type OutputStyle, paint } from './terminal/output-style.ts';
import { block, joinStyled, keepColours, type StyledText, styled } from './terminal/styled-text.ts';

type Row = readonly [string, string];

const ENVIRONMENT_ROWS: readonly Row[] = [
  ['PARTWAY_SERVER', `The control plane (${DEFAULT_SERVER})`],
  ['PARTWAY_TOKEN', 'Its token; `partway serve` shows it when it first starts'],
  ['XDG_STATE_HOME', "Folder of this machine's journal of uploads, and of the sockets that `partway pause` uses"],
  ['NO_COLOR, FORCE_COLOR', 'Colours off, or on'],
  ['PARTWAY_DEBUG=1', 'Show where an error came from'],
];

export function renderHelp(style: OutputStyle): StyledText {
  const parts = [
    'Upload very large files straight to object storage, over networks that do not behave.',
    '',
    section('Usage', ['partway <command> [flags]'], style),
    section(
      'Examples',
      [
        'partway upload C0142.MOV                   upload; run it again to go on',
        'partway resume ses_… C0142.MOV             continue, on any machine that has the file',
        'partway upload --help                      the flags of a command',
      ],
      style,
    ),
    ...commandSections(style),
    section('Environment', columns(ENVIRONMENT_ROWS), style),
    section('Exit codes', exitCodeLines(), style),
  ];
  return joinStyled(parts, '\n');
}

/** Uses one column width for all sections, so that the summaries are aligned. */
function commandSections(style: OutputStyle): StyledText[] {
  const rows = columns(COMMANDS.map((entry): Row => [usageOf(entry), entry.summary]));
  return Object.entries(SECTIONS).map(([name, title]) => {
    const lines = rows.filter((_, index) => COMMANDS[index]?.section === name);
    return section(title, lines, style);
  });
}

function usageOf(entry: (typeof COMMANDS)[number]): string {
  if (isGroup(entry)) return `${entry.name} ${entry.subCommands.map(({ name }) => name).join('|')}`;
  return `${entry.name} ${entry.usage}`.trimEnd();
}

/** `group` is the first word of a sub-command, such as `token`. */
export async function renderCommandHelp(
  { command, examples, environment = ENVIRONMENT_ROWS }: CommandModule,
  group: string | undefined,
  style: OutputStyle,
): Promise<StyledText> {
  const parts = [
    await usageText(command, group === undefined ? 'partway' : `partway ${group}`, style),
    section('EXAMPLES', examples, style),
    section('ENVIRONMENT', columns(typeof environment === 'function' ? await environment() : environment), style),
    section('EXIT CODES', exitCodeLines(), style),
  ];
  return joinStyled(parts, '\n');
}

export function renderGroupHelp({ name, summary, subCommands }: CommandGroup, style: OutputStyle): Promise<StyledText> {
  const rows = subCommands.map((leaf) => [leaf.name, defineCommand({ meta: { description: leaf.summary } })]);
  const group = defineCommand({ meta: { name, description: summary }, subCommands: Object.fromEntries(rows) });
  return usageText(group, 'partway', style);
}

async function usageText(command: CommandDef, parent: string, style: OutputStyle): Promise<StyledText> {
  const usage = await renderUsage(command, { meta: { name: parent, version: packageVersion() } });
  // citty uses colours even in a pipe.
  return keepColours(`${(style.colour ? usage : stripVTControlCharacters(usage)).replaceAll(/ +$/gm, '').trimEnd()}\n`);
}

function exitCodeLines(): string[] {
  return columns(Object.entries(EXIT_CODE_MEANINGS).map(([code, meaning]) => [code.padStart(3), meaning]));
}

function columns(rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`);
}

function section(title: string, lines: readonly string[], style: OutputStyle): StyledText {
  const indented = lines.map((line) => `  ${line.replaceAll('\n', '\n  ')}\n`).join('');
  return styled`${paint(title, 'bold', style)}\n${block(indented)}`;
}
