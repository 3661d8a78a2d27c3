import type { EngineEvent } from '../../client/progress/events.ts';
import { ERASE_LINE, encodeLine, styled, type Text } from '../terminal/styled-text.ts';
import { PlainReporter } from './plain-reporter.ts';
import { renderProgressLine } from './progress-line.ts';
import type { BeginningUpload } from './reporter.ts';
import type { UploadView } from './upload-view.ts';

/** At most 10 times a second; also what lets a countdown count while nothing else happens. */
const REDRAW_EVERY_MS = 100;
const DEFAULT_COLUMNS = 80;
/** Codes like ECONNREFUSED fit into the line, sentences do not. */
const LONGEST_REASON = 24;

/**
 * One line, redrawn in place below the lines that stay. The cursor is never hidden, so nothing has to be put right
 * however the process ends.
 */
export class TerminalReporter extends PlainReporter {
  #timer: NodeJS.Timeout | undefined;
  #drawn = '';
  readonly #toldReasons = new Set<string>();
  readonly #onResize = () => this.#draw();

  override begin(upload: BeginningUpload): void {
    super.begin(upload);
    this.#toldReasons.clear();
    this.#timer = setInterval(() => this.#draw(), REDRAW_EVERY_MS).unref();
    this.context.stderr.on('resize', this.#onResize);
    this.#draw();
  }

  /** The line shows these by itself, but for a reason that would not fit into it. */
  protected override isNews(event: EngineEvent): boolean {
    if (event.type === 'online' || event.type === 'replanned') this.#toldReasons.clear();
    if (event.type === 'offline' && event.reason.length > LONGEST_REASON && !this.#toldReasons.has(event.reason)) {
      this.#toldReasons.add(event.reason);
      return true;
    }
    return !['offline', 'verifying', 'paused', 'resumed', 'finishing'].includes(event.type) && super.isNews(event);
  }

  /** The timer draws: events may come thousands of times a second. */
  protected override onProgress(_view: UploadView): void {}

  override end(): void {
    clearInterval(this.#timer);
    this.context.stderr.off('resize', this.#onResize);
    this.#erase();
    super.end();
  }

  /** Lines that stay go above the one that moves. */
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
