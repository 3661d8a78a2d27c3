import { formatShare, percentOf } from '../format/sizes.ts';
import type { CliContext } from '../terminal/context.ts';
import { styleOf } from '../terminal/output-style.ts';
import { ERASE_LINE, styled } from '../terminal/styled-text.ts';

const REDRAW_EVERY_MS = 100;

/** Shows on a terminal how much of a file has been read; elsewhere prints nothing. */
export class ReadingLine {
  readonly #context: CliContext;
  readonly #size: number;
  readonly #isVisible: boolean;
  #read = 0;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(context: CliContext, size: number) {
    this.#context = context;
    this.#size = size;
    this.#isVisible = styleOf(context.stderr, context).redraw;
  }

  advance(bytes: number): void {
    this.#read += bytes;
    const now = this.#context.now();
    // A wall clock that is set back must not stop the line for as long.
    if (!this.#isVisible || Math.abs(now - this.#drawnAt) < REDRAW_EVERY_MS) return;
    this.#drawnAt = now;
    const line = `${percentOf(this.#read, this.#size)} %  reading the file: ${formatShare(this.#read, this.#size)}`;
    const { stderr } = this.#context;
    stderr.write(styled`${ERASE_LINE}${line.slice(0, (stderr.columns || 80) - 1)}`);
  }

  end(): void {
    if (this.#drawnAt > 0) this.#context.stderr.write(ERASE_LINE);
  }
}
