import type { EngineEvent } from '../../client/progress/events.ts';
import { ERASE_LINE, encodeLine, styled, type Text } from '../terminal/styled-text.ts';
import { PlainReporter } from './plain-reporter.ts';
import { renderProgressLine } from './progress-line.ts';
import type { BeginningUpload } from './reporter.ts';
import type { UploadView } from './upload-view.ts';

/** Draws 10 times a second; the timer also moves a countdown while nothing else happens. */
const REDRAW_EVERY_MS = 100;
const DEFAULT_COLUMNS = 80;
/** Codes like ECONNREFUSED fit into the line, sentences do not. */
const LONGEST_REASON = 24;

/** Redraws one line in place, below the lines that stay. Never hides the cursor, so there is nothing to restore however the process ends. */
export class TerminalReporter extends PlainReporter {
  #timer: NodeJS.Timeout | undefined;
  #drawn = '';
  readonly #reportedReasons = new Set<string>();
  readonly #onResize = () => this.#draw();

  override begin(upload: BeginningUpload): void {
    super.begin(upload);
    this.#reportedReasons.clear();
    this.#timer = setInterval(() => this.#draw(), REDRAW_EVERY_MS).unref();
    this.context.stderr.on('resize', this.#onResize);
    this.#draw();
  }

  /** The line shows these events itself, except for a reason that would not fit. */
  protected override isNews(event: EngineEvent): boolean {
    if (event.type === 'online' || event.type === 'replanned') this.#reportedReasons.clear();
    if (event.type === 'offline' && event.reason.length > LONGEST_REASON && !this.#reportedReasons.has(event.reason)) {
      this.#reportedReasons.add(event.reason);
      return true;
    }
    return !['offline', 'verifying', 'paused', 'resumed', 'finishing'].includes(event.type) && super.isNews(event);
  }

  /** Leaves drawing to the timer, because events may come thousands of times a second. */
  protected override onProgress(_view: UploadView): void {}

  override end(): void {
    clearInterval(this.#timer);
    this.context.stderr.off('resize', this.#onResize);
    this.#erase();
    super.end();
  }

  /** Prints lines that stay above the one that moves. */
  protected override say(line: Text): void {
    this.#erase();
    super.say(line);
    this.#draw();
  }

  #draw(): void {
    if (this.view === undefined) return;
    // A terminal that does not know its width says 0.
    const columns = this.context.stderr.columns || DEFAULT_COLUMNS;
    const line = renderProgressLine(this.view, columns, this.style, this.context.now());
    const drawn = encodeLine(line);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.context.stderr.write(styled`${ERASE_LINE}${line}`);
  }

  #erase(): void {
    if (this.#drawn === '') return;
    this.#drawn = '';
    this.context.stderr.write(ERASE_LINE);
  }
}
