import { isSessionId } from '../../contract/paths.ts';
import { isUploadError, UploadError } from '../../session/errors.ts';
import { escapeInvisible } from '../../text/visible-text.ts';
import { shellQuote } from '../format/shell-quote.ts';
import { UsageError } from '../input/usage-error.ts';
import type { CliContext } from '../terminal/context.ts';
import { type Offer, wordsFor } from './error-meanings.ts';
import { EXIT, type ExitCode, exitCodeOfError } from './exit-codes.ts';
import type { Subject } from './failure.ts';
import { interruptionLine } from './interruption-line.ts';
import { ServerFailed } from './server-failed.ts';

/** An error in words for people and programs. */
export interface ExplainedError {
  readonly code: string;
  readonly exitCode: ExitCode;
  /** The event itself. */
  readonly message: string;
  /** The next thing to do, in one line. */
  readonly hint: string;
  /** Event, meaning and next step, ready to print: every line break in it comes from this file. */
  readonly text: string;
}

export function explainError(error: unknown, subject: Subject, { platform }: Pick<CliContext, 'platform'>): ExplainedError {
  if (error instanceof UsageError) return explainUsage(error);
  if (error instanceof ServerFailed) return explainServerFailure(error);
  if (isUploadError(error, 'INTERRUPTED')) return explainInterruption(error, subject, platform);
  if (error instanceof UploadError) return explainUploadError(error, subject, platform);
  return explainBug(error);
}

function explainUsage(error: UsageError): ExplainedError {
  const hint = error.hint ?? 'See: partway --help';
  return {
    code: 'USAGE',
    exitCode: EXIT.usage,
    message: error.message,
    hint,
    // Hints of usage errors may have several lines.
    text: [...error.faults.map((fault) => `error: ${escapeInvisible(fault)}`), `  ${hint}`].join('\n'),
  };
}

function explainServerFailure({ message, hint: advice, exitCode }: ServerFailed): ExplainedError {
  const comfort = 'Sessions and stored parts are safe; clients go on when it runs again.';
  const hint = advice ?? comfort;
  const text = [
    `error: ${escapeInvisible(message)}`,
    'The server is not running.',
    ...(advice === undefined ? [] : [advice]),
    comfort,
  ].join('\n  ');
  return { code: 'SERVER_FAILED', exitCode, message, hint, text };
}

function explainInterruption(error: UploadError, subject: Subject, platform: NodeJS.Platform): ExplainedError {
  const text = interruptionLine(subject, platform);
  const hint = commandsFor(['resume', 'abort'], subject, platform).join('   ');
  return { code: error.code, exitCode: exitCodeOfError(error), message: error.detail, hint, text };
}

function explainUploadError(error: UploadError, subject: Subject, platform: NodeJS.Platform): ExplainedError {
  const { meaning, advice, offer = [] } = wordsFor(error);
  const isCompleted = subject.session?.status === 'completed';
  const commands = commandsFor(isCompleted ? offer.filter(fitsCompleted) : offer, subject, platform);
  // Our advice leads up to the commands; without them the error's own hint knows more of the case.
  const lead = commands.length > 0 && advice?.endsWith(':') ? advice : (error.hint ?? advice?.replace(/:$/, '.'));
  const next = [...(lead === undefined ? [] : [lead]), ...commands];
  return {
    code: error.code,
    exitCode: exitCodeOfError(error),
    message: error.detail,
    hint: next.join('   '),
    text: [`error: ${error.detail}`, `  ${meaning}`, ...next.map((line) => `  ${line}`)].map(escapeInvisible).join('\n'),
  };
}

function explainBug(error: unknown): ExplainedError {
  const message = error instanceof Error ? error.message : String(error);
  const hint = 'Please report it. PARTWAY_DEBUG=1 shows where it happened.';
  return {
    code: 'INTERNAL',
    exitCode: EXIT.failure,
    message,
    hint,
    text: `error: ${escapeInvisible(message)}\n  This is unexpected: probably a bug in partway. What is stored stays stored.\n  ${hint}`,
  };
}

/** A completed session is past discarding and resuming. */
function fitsCompleted(offer: Offer): boolean {
  return offer === 'verify';
}

function commandsFor(offers: readonly Offer[], subject: Subject, platform: NodeJS.Platform): string[] {
  return offers.map((offer) => commandFor(offer, subject, platform)).filter((command) => command !== undefined);
}

/** Undefined if too little is known for a command that can be pasted. */
function commandFor(offer: Offer, { sessionId, path, key, keyTemplate }: Subject, platform: NodeJS.Platform): string | undefined {
  const file = path === undefined ? undefined : shellQuote(path, platform);
  const named = key === undefined ? '' : ` --key ${shellQuote(key, platform)}`;
  const target = keyTemplate === undefined ? `${file}${named}` : `${file} --key-template ${shellQuote(keyTemplate, platform)}`;
  if (offer === 'upload') return file && `Upload:  partway upload ${target}`;
  if (offer === 'overwrite') return file && `Replace:  partway upload --overwrite ${target}`;
  // Typed text, or text from a server, becomes a word of a command only if it can be an id.
  if (!isSessionId(sessionId)) return undefined;
  if (offer === 'resume') return `Resume:  partway resume ${sessionId}${file === undefined ? '' : ` ${file}`}`;
  if (offer === 'verify') return `Compare:  partway verify ${sessionId}${file === undefined ? '' : ` ${file}`}`;
  if (offer === 'status') return `Look:  partway status ${sessionId}`;
  return `Discard:  partway abort ${sessionId}`;
}

/** The last line of `--json` after a failure. */
export function errorLine({ code, message, hint }: ExplainedError, sessionId: string | undefined) {
  return { type: 'error', code, message, hint, ...(sessionId === undefined ? {} : { sessionId }) };
}

/** Describes where an error came from if PARTWAY_DEBUG=1; without it, no stack is ever shown. */
export function debugTrace(error: unknown, { env }: Pick<CliContext, 'env'>): string {
  return env.PARTWAY_DEBUG === '1' && error instanceof Error ? `${describeDeeply(error)}\n` : '';
}

function describeDeeply(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${describeDeeply(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
