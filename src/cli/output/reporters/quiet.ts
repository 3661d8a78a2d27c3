import type { UploadEvent, UploadResult } from '../../../client/events.ts';
import type { CliContext } from '../../context.ts';
import type { ExplainedError } from '../../failures/error-text.ts';
import { arrow, colourError, type OutputStyle, paint, styleOf } from '../output-style.ts';
import type { BeginningUpload, Reporter, StrategyReport } from '../reporter.ts';
import { renderResult } from '../result-line.ts';
import { styled, type Text } from '../styled-text.ts';

export interface HumanReporterOptions {
  readonly context: CliContext;
  /** Of stderr. */
  readonly style: OutputStyle;
  /** Off where stdout belongs to JSON. */
  readonly printResult: boolean;
}

/** The result on stdout, warnings and errors on stderr, and nothing else. The other reporters for people add to it. */
export class QuietReporter implements Reporter {
  protected readonly context: CliContext;
  protected readonly style: OutputStyle;
  readonly #printResult: boolean;

  constructor({ context, style, printResult }: HumanReporterOptions) {
    this.context = context;
    this.style = style;
    this.#printResult = printResult;
  }

  begin(_upload: BeginningUpload): void {}
  strategy(_report: StrategyReport): void {}
  note(_message: string): void {}
  end(): void {}

  event(event: UploadEvent): void {
    if (event.type === 'notice') this.warn(event.message);
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
    this.end();
    this.context.stderr.line(colourError(error.text, this.style));
  }

  protected say(line: Text): void {
    this.context.stderr.line(line);
  }
}
