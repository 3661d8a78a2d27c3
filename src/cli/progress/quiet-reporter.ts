import type { EngineEvent, UploadResult } from '../../client/progress/events.ts';
import type { ExplainedError } from '../errors/error-text.ts';
import { formatDuration } from '../format/durations.ts';
import type { CliContext } from '../terminal/context.ts';
import { arrow, colourError, type OutputStyle, paint, styleOf } from '../terminal/output-style.ts';
import { styled, type Text } from '../terminal/styled-text.ts';
import { withoutFullStop } from './phase-text.ts';
import type { BeginningUpload, Reporter, StrategyReport } from './reporter.ts';
import { renderResult } from './result-line.ts';
import type { OfflineEvent } from './upload-view.ts';

export interface HumanReporterOptions {
  readonly context: CliContext;
  /** The style of stderr. */
  readonly style: OutputStyle;
  /** False if stdout belongs to JSON. */
  readonly printResult: boolean;
}

/** Prints the result to stdout, warnings and errors to stderr, and nothing else. The other reporters for people extend it. */
export class QuietReporter implements Reporter {
  protected readonly context: CliContext;
  protected readonly style: OutputStyle;
  readonly #printResult: boolean;
  #isWaiting = false;

  constructor({ context, style, printResult }: HumanReporterOptions) {
    this.context = context;
    this.style = style;
    this.#printResult = printResult;
  }

  begin(_upload: BeginningUpload): void {}
  strategy(_report: StrategyReport): void {}
  note(_message: string): void {}
  end(): void {}

  event(event: EngineEvent): void {
    if (event.type === 'notice') this.warn(event.message);
  }

  /** Reports waiting with --quiet as well: a command that stands still in silence looks broken. */
  waiting(event: EngineEvent, maxOutageMs: number | undefined): void {
    if (event.type === 'offline' && !this.#isWaiting) {
      this.#isWaiting = true;
      this.warn(waitingLine(event, maxOutageMs));
    }
    if (event.type === 'online') {
      this.#isWaiting = false;
      this.note(`${event.what} answers again after ${formatDuration(event.outageMs / 1_000)}`);
    }
  }

  notTried(paths: readonly string[]): void {
    for (const path of paths) this.say(`not tried: ${path}`);
  }

  warn(message: string): void {
    this.say(styled`${paint('warning:', 'yellow', this.style)} ${message}`);
  }

  done(result: UploadResult, name: string): void {
    this.end();
    if (!this.#printResult) return;
    const style = styleOf(this.context.stdout, this.context);
    this.context.stdout.line(renderResult(result, name, arrow(style)));
  }

  fail(error: ExplainedError, _sessionId: string | undefined): void {
    this.#isWaiting = false;
    this.end();
    this.context.stderr.line(colourError(error.text, this.style));
  }

  protected say(line: Text): void {
    this.context.stderr.line(line);
  }
}

const DEFAULT_MAX_OUTAGE_MS = 86_400_000;

/** Says what a command waits for before its file has begun, for how long, and how to stop it. */
function waitingLine({ what, refuses, reason }: OfflineEvent, maxOutageMs = DEFAULT_MAX_OUTAGE_MS): string {
  const trouble = refuses ? 'cannot serve now' : 'cannot be reached';
  const longest = formatDuration(maxOutageMs / 1_000);
  const line = `waiting for ${what} (${trouble}: ${withoutFullStop(reason)}), for ${longest} at most (--max-outage). Ctrl-C stops; what is stored stays stored.`;
  return refuses ? line : `${line} If the address is wrong, stop and set PARTWAY_SERVER.`;
}
