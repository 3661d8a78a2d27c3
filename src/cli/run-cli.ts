import { type ArgsDef, runCommand } from 'citty';
import { packageVersion } from '../installation/package-version.ts';
import { didYouMean } from '../text/did-you-mean.ts';
import { debugTrace, errorLine, explainError } from './errors/error-text.ts';
import { EXIT, type ExitCode } from './errors/exit-codes.ts';
import { unwrapFailure } from './errors/failure.ts';
import { renderCommandHelp, renderHelp } from './help.ts';
import type { CommandModule } from './input/command.ts';
import { checkArguments } from './input/strict-args.ts';
import { UsageError } from './input/usage-error.ts';
import type { CliContext } from './terminal/context.ts';
import { colourError, styleOf } from './terminal/output-style.ts';

/** Each is loaded only when it is called. */
const COMMANDS = {
  upload: async () => (await import('./commands/upload.ts')).default,
  resume: async () => (await import('./commands/resume.ts')).default,
  pause: async () => (await import('./commands/pause.ts')).default,
  continue: async () => (await import('./commands/continue.ts')).default,
  limit: async () => (await import('./commands/limit.ts')).default,
  status: async () => (await import('./commands/status.ts')).default,
  list: async () => (await import('./commands/list.ts')).default,
  verify: async () => (await import('./commands/verify.ts')).default,
  abort: async () => (await import('./commands/abort.ts')).default,
  doctor: async () => (await import('./commands/doctor.ts')).default,
  grant: async () => (await import('./commands/grant.ts')).default,
  'token create': async () => (await import('./commands/token-create.ts')).default,
  'token list': async () => (await import('./commands/token-list.ts')).default,
  'token revoke': async () => (await import('./commands/token-revoke.ts')).default,
  backup: async () => (await import('./commands/backup.ts')).default,
  'migrate-store': async () => (await import('./commands/migrate-store.ts')).default,
  sweep: async () => (await import('./commands/sweep.ts')).default,
  'events list': async () => (await import('./commands/events-list.ts')).default,
  'events replay': async () => (await import('./commands/events-replay.ts')).default,
  audit: async () => (await import('./commands/audit.ts')).default,
  serve: async () => (await import('./commands/serve.ts')).default,
} satisfies Record<string, () => Promise<CommandModule>>;

/** Runs one command line. Never throws: every failure becomes words on stderr and an exit code. */
export async function runCli(argv: readonly string[], context: CliContext): Promise<ExitCode> {
  try {
    return await dispatch(argv, context);
  } catch (thrown) {
    return tellFailure(thrown, context, beforeDashes(argv).includes('--json'));
  }
}

async function dispatch(argv: readonly string[], context: CliContext): Promise<ExitCode> {
  const [name, ...words] = joinCommand(argv);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help')
    return showHelp(joinCommand(words)[0], context, name);
  if (name === '--version' || name === '-v') {
    context.stdout.write(`${packageVersion()}\n`);
    return EXIT.ok;
  }
  const module = await findCommand(name);
  if (beforeDashes(words).some((word) => word === '--help' || word === '-h')) {
    context.stdout.write(await renderCommandHelp(module, styleOf(context.stdout, context)));
    return EXIT.ok;
  }
  const environment = typeof module.environment === 'function' ? await module.environment() : module.environment;
  const variables = environment?.map(([variable]) => variable);
  checkArguments(words, ((await module.command.args) ?? {}) as ArgsDef, name, variables);
  const { result } = await runCommand(module.command, { rawArgs: words, data: context });
  return result as ExitCode;
}

/** `token create` is one command: its two words as one. */
function joinCommand(argv: readonly string[]): readonly string[] {
  const [first, second, ...rest] = argv;
  return second !== undefined && Object.hasOwn(COMMANDS, `${first} ${second}`) ? [`${first} ${second}`, ...rest] : argv;
}

async function showHelp(topic: string | undefined, context: CliContext, name: string | undefined): Promise<ExitCode> {
  const style = styleOf(context.stdout, context);
  if (name === 'help' && topic !== undefined) context.stdout.write(await renderCommandHelp(await findCommand(topic), style));
  else if (name === undefined) context.stderr.write(renderHelp(style));
  else context.stdout.write(renderHelp(style));
  return name === undefined ? EXIT.usage : EXIT.ok;
}

async function findCommand(name: string): Promise<CommandModule> {
  if (Object.hasOwn(COMMANDS, name)) return COMMANDS[name as keyof typeof COMMANDS]();
  const group = Object.keys(COMMANDS).filter((command) => command.startsWith(`${name} `));
  if (group.length > 0)
    throw new UsageError(`${name} needs a word more: ${group.map((command) => `partway ${command}`).join(', ')}.`);
  const meant = didYouMean(name, Object.keys(COMMANDS));
  const hint = meant === undefined ? 'See: partway --help' : `Did you mean: partway ${meant}`;
  throw new UsageError(`There is no command "${name}".`, hint);
}

/** Behind `--`, a word that looks like a flag is a file. */
function beforeDashes(words: readonly string[]): readonly string[] {
  const dashes = words.indexOf('--');
  return dashes === -1 ? words : words.slice(0, dashes);
}

/** For people on stderr, and for programs that asked for JSON on stdout. */
export function tellFailure(thrown: unknown, context: CliContext, json: boolean): ExitCode {
  const { error, subject } = unwrapFailure(thrown);
  const explained = explainError(error, subject, context);
  context.stderr.line(colourError(explained.text, styleOf(context.stderr, context)));
  if (json) context.stdout.write(`${JSON.stringify(errorLine(explained, subject.sessionId))}\n`);
  context.stderr.write(debugTrace(error, context));
  return explained.exitCode;
}
