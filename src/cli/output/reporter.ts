import type { UploadEvent, UploadResult } from '../../client/events.ts';
import type * as wire from '../../contract/wire.ts';
import type { Strategy } from '../../session/strategy.ts';
import type { CliContext } from '../context.ts';
import type { ExplainedError } from '../failures/error-text.ts';
import { styleOf } from './output-style.ts';
import { JsonReporter } from './reporters/json.ts';
import { PlainReporter } from './reporters/plain.ts';
import { QuietReporter } from './reporters/quiet.ts';
import { TerminalReporter } from './reporters/terminal.ts';

export interface BeginningUpload {
  readonly name: string;
  readonly session: wire.Session;
  /** Whether this run made the session. */
  readonly created: boolean;
}

/** `reason` completes the sentence "strategy: …, because ". */
export interface StrategyReport {
  readonly strategy: Strategy;
  readonly network: string | undefined;
  readonly reason: string;
  readonly partSize: number;
  readonly partCount: number;
}

/** Tells people or programs how an upload goes. The engine never prints; commands print through this alone while one runs. */
export interface Reporter {
  begin(upload: BeginningUpload): void;
  strategy(report: StrategyReport): void;
  event(event: UploadEvent): void;
  /** Before a file has begun: the server is away, or is back. `maxOutageMs` is how long the command waits for it. */
  waiting(event: UploadEvent, maxOutageMs: number | undefined): void;
  warn(message: string): void;
  /** News for people only. */
  note(message: string): void;
  /** Files of the command that an earlier failure left untried, as they were typed. */
  notTried(paths: readonly string[]): void;
  /** Takes the progress display away, so that other text can be printed. Nothing is drawn after it until the next `begin`. */
  end(): void;
  done(result: UploadResult, name: string): void;
  fail(error: ExplainedError, sessionId: string | undefined): void;
}

export interface ReporterFlags {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** JSON is for programs on stdout; on stderr a person may watch all the same. */
export function createReporter(context: CliContext, { json, quiet }: ReporterFlags): Reporter {
  const style = styleOf(context.stderr, context);
  const human = { context, style, printResult: !json };
  if (quiet) return json ? new JsonReporter(context, new QuietReporter(human)) : new QuietReporter(human);
  const visible = style.redraw ? new TerminalReporter(human) : new PlainReporter(human);
  return json ? new JsonReporter(context, visible) : visible;
}
