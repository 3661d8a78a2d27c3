import { type ArgsDef, type CommandDef, defineCommand, runCommand } from 'citty';
import { packageVersion } from '../installation/package-version.ts';
import { didYouMean } from '../text/did-you-mean.ts';
import { COMMANDS, type CommandGroup, isGroup, type Leaf } from './commands.ts';
import { debugTrace, errorLine, explainError } from './errors/error-text.ts';
import { EXIT, type ExitCode } from './errors/exit-codes.ts';
import { unwrapFailure } from './errors/failure.ts';
import { renderCommandHelp, renderGroupHelp, renderHelp } from './help.ts';
import { checkArguments } from './input/strict-args.ts';
import { UsageError } from './input/usage-error.ts';
import type { CliContext } from './terminal/context.ts';
import { colourError, styleOf } from './terminal/output-style.ts';

/** Runs one command line. Never throws: every failure becomes a message on stderr and an exit code. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<ExitCode> {
  try {
    return await dispatch(argv, context);
  } catch (thrown) {
    return reportFailure(thrown, context, beforeDashes(argv).includes('--json'));
  }
}

async function dispatch(argv: readonly string[], context: CliContext): Promise<ExitCode> {
  const [first, ...rest] = argv;
  if (first === undefined) {
    context.stderr.write(renderHelp(styleOf(context.stderr, context)));
    return EXIT.usage;
  }
  if (first === '--version' || first === '-v') {
    context.stdout.write(`${packageVersion()}\n`);
    return EXIT.ok;
  }
  if (isHelpFlag(first)) return showHelp([], context);
  if (first === 'help') return showHelp(rest, context);
  if (beforeDashes(argv).some(isHelpFlag)) return showHelp(argv, context);
  return route(argv, context);
}

/**
 * Lets citty find the command and the words that are left for it. citty 0.2 hands a sub-command no `data` and drops its result, so
 * a routed command only starts the real one, which gets and gives both.
 */
async function route(argv: readonly string[], context: CliContext): Promise<ExitCode> {
  let exitCode: ExitCode | undefined;
  const root = routes(COMMANDS, async (command, path, words) => {
    // citty skips flags before the name of a sub-command: they would be lost.
    if (path.length + words.length < argv.length) throw flagsFirst(path);
    exitCode = await runLeaf(command, path, words, context);
  });
  try {
    await runCommand(root, { rawArgs: [...argv] });
  } catch (error) {
    const { code } = error as { code?: unknown };
    throw code === 'E_UNKNOWN_COMMAND' || code === 'E_NO_COMMAND' ? unknownCommand(argv) : error;
  }
  return exitCode ?? EXIT.ok;
}

type RunLeaf = (command: Leaf, path: readonly string[], words: readonly string[]) => Promise<void>;

function routes(entries: readonly (Leaf | CommandGroup)[], run: RunLeaf, parents: readonly string[] = []): CommandDef {
  // Without a prototype, `partway constructor` names no command.
  const subCommands: Record<string, CommandDef> = Object.create(null);
  for (const entry of entries) {
    const path = [...parents, entry.name];
    subCommands[entry.name] = isGroup(entry)
      ? routes(entry.subCommands, run, path)
      : defineCommand({ run: ({ rawArgs }) => run(entry, path, rawArgs) });
  }
  return defineCommand({ subCommands });
}

async function runLeaf(leaf: Leaf, path: readonly string[], words: readonly string[], context: CliContext): Promise<ExitCode> {
  const { command, environment } = (await leaf.load()).default;
  const rows = typeof environment === 'function' ? await environment() : environment;
  const variables = rows?.map(([variable]) => variable);
  checkArguments(words, ((await command.args) ?? {}) as ArgsDef, path.join(' '), variables);
  const { result } = await runCommand(command, { rawArgs: [...words], data: context });
  return result as ExitCode;
}

/** Shows the help of the command that the words begin with. */
async function showHelp(words: readonly string[], context: CliContext): Promise<ExitCode> {
  const style = styleOf(context.stdout, context);
  const [first, second] = words;
  const entry = find(COMMANDS, first);
  const leaf = entry !== undefined && isGroup(entry) ? find(entry.subCommands, second) : entry;
  if (leaf !== undefined && !isGroup(leaf)) {
    const parent = entry === leaf ? undefined : entry?.name;
    context.stdout.write(await renderCommandHelp((await leaf.load()).default, parent, style));
  } else if (entry !== undefined && isGroup(entry) && (second === undefined || second.startsWith('-'))) {
    context.stdout.write(await renderGroupHelp(entry, style));
  } else if (first === undefined) context.stdout.write(renderHelp(style));
  else throw unknownCommand(words);
  return EXIT.ok;
}

function find<T extends { readonly name: string }>(entries: readonly T[], name: string | undefined): T | undefined {
  return entries.find((entry) => entry.name === name);
}

function isHelpFlag(word: string): boolean {
  return word === '--help' || word === '-h';
}

function unknownCommand([first = '', second]: readonly string[]): UsageError {
  const entry = find(COMMANDS, first);
  if (entry === undefined || !isGroup(entry)) return noSuchCommand(first, COMMANDS.flatMap(namesOf), 'See: partway --help');
  const commands = entry.subCommands.map(({ name }) => `partway ${first} ${name}`).join(', ');
  if (second !== undefined && !second.startsWith('-'))
    return noSuchCommand(`${first} ${second}`, namesOf(entry), `There are: ${commands}`);
  return new UsageError(`${first} needs a word more: ${commands}.`, `See: partway ${first} --help`);
}

function noSuchCommand(typed: string, known: readonly string[], otherwise: string): UsageError {
  const meant = didYouMean(typed, known);
  return new UsageError(`There is no command "${typed}".`, meant === undefined ? otherwise : `Did you mean: partway ${meant}`);
}

function namesOf(entry: Leaf | CommandGroup): string[] {
  return isGroup(entry) ? [entry.name, ...entry.subCommands.map(({ name }) => `${entry.name} ${name}`)] : [entry.name];
}

function flagsFirst(path: readonly string[]): UsageError {
  const command = `partway ${path.join(' ')}`;
  return new UsageError('Flags come after the command.', `Write: ${command} [flags]. See: ${command} --help`);
}

/** Returns the words before `--`: behind it, a word that looks like a flag is a file. */
function beforeDashes(words: readonly string[]): readonly string[] {
  const dashes = words.indexOf('--');
  return dashes === -1 ? words : words.slice(0, dashes);
}

/** Explains a failure to people on stderr, and on stdout to programs that asked for JSON. */
export function reportFailure(thrown: unknown, context: CliContext, json: boolean): ExitCode {
  const { error, subject } = unwrapFailure(thrown);
  const explained = explainError(error, subject, context);
  context.stderr.line(colourError(explained.text, styleOf(context.stderr, context)));
  if (json) context.stdout.write(`${JSON.stringify(errorLine(explained, subject.sessionId))}\n`);
  context.stderr.write(debugTrace(error, context));
  return explained.exitCode;
}
