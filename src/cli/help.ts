import { stripVTControlCharacters } from 'node:util';
import { renderUsage } from 'citty';
import { packageVersion } from '../installation/package-version.ts';
import { EXIT_CODE_MEANINGS } from './errors/exit-codes.ts';
import type { CommandModule } from './input/command.ts';
import { DEFAULT_SERVER } from './input/environment.ts';
import { type OutputStyle, paint } from './terminal/output-style.ts';
import { block, joinStyled, keepColours, type StyledText, styled } from './terminal/styled-text.ts';

type Row = readonly [string, string];

/** Kept here, beside the commands' own descriptions, so that `--help` loads none of them. */
const COMMAND_ROWS: readonly Row[] = [
  ['upload FILE…', 'Upload files, or continue them: what is stored already is never sent again'],
  ['resume SESSION_ID [FILE]', 'Continue a session, here or on another machine that has the same file'],
  ['pause [SESSION_ID]', 'Pause an upload that runs on this machine, from another terminal'],
  ['continue [SESSION_ID]', 'Let it go on'],
  ['limit [SESSION_ID] [RATE]', 'Change how fast it may send: 8Mbit, 2MiB, none; or show it'],
  ['status SESSION_ID', 'Show a session and how far it is, from anywhere'],
  ['list', 'List the upload sessions, newest first'],
  ['verify SESSION_ID [FILE]', 'Compare a file with what the object store says of the object'],
  ['abort SESSION_ID', 'Discard an unfinished upload and its stored parts'],
  ['doctor', 'Check server, token, object store and clocks, and say what to do'],
  ['serve', 'Run the control plane'],
  ['grant SESSION_ID', 'Make a token for one session, for a browser or a script'],
  ['token create|list|revoke', "Who may put what where, on the server's machine"],
  ['backup FILE', "Copy the server's SQLite database, while the server runs"],
  ['migrate-store', 'Copy a stopped server from SQLite to PostgreSQL'],
  ['sweep --dry-run', "Show what the server's sweeper would do now"],
  ['events list|replay', "What the webhook is told, and telling it again, on the server's machine"],
  ['audit', "Show who did what, from the audit log on the server's machine"],
];

const ENVIRONMENT_ROWS: readonly Row[] = [
  ['PARTWAY_SERVER', `The control plane (${DEFAULT_SERVER})`],
  ['PARTWAY_TOKEN', 'Its token; `partway serve` shows it when it first starts'],
  ['XDG_STATE_HOME', "Where the journal of this machine's uploads is kept, and the sockets that `partway pause` speaks to"],
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
    section('Commands', columns(COMMAND_ROWS), style),
    section('Environment', columns(ENVIRONMENT_ROWS), style),
    section('Exit codes', exitCodeLines(), style),
  ];
  return joinStyled(parts, '\n');
}

export async function renderCommandHelp(
  { command, examples, environment = ENVIRONMENT_ROWS }: CommandModule,
  style: OutputStyle,
): Promise<StyledText> {
  const usage = await renderUsage(command, { meta: { name: 'partway', version: packageVersion() } });
  const parts = [
    // citty colours what goes into pipes, too.
    keepColours((style.colour ? usage : stripVTControlCharacters(usage)).replaceAll(/ +$/gm, '')),
    section('EXAMPLES', examples, style),
    section('ENVIRONMENT', columns(typeof environment === 'function' ? await environment() : environment), style),
    section('EXIT CODES', exitCodeLines(), style),
  ];
  return joinStyled(parts, '\n');
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
