import { encode, encodeLine, type Text } from './styled-text.ts';

/** Takes text as it is: `process.stdout`, `process.stderr`, or a collector in tests. Only `TextOutput` writes to it. */
export interface RawOutput {
  /** Calls `done` when the text is on its way, or with the reason why it never will be. */
  write(text: string, done?: (error?: Error | null) => void): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

/**
 * Takes all text of the commands. Escapes what a terminal would obey, so that no command can forget to; partway's own escape
 * sequences pass as `StyledText`.
 */
export class TextOutput {
  readonly #raw: RawOutput;

  constructor(raw: RawOutput) {
    this.#raw = raw;
  }

  get isTTY(): boolean {
    return this.#raw.isTTY === true;
  }

  get columns(): number | undefined {
    return this.#raw.columns;
  }

  /** Keeps line breaks, also those of a name in the text: see `line`. */
  write(text: Text, done?: (error?: Error | null) => void): void {
    this.#raw.write(encode(text), done);
  }

  /** Writes one line, whatever is in the text: a line break in a name begins no other. */
  line(text: Text): void {
    this.#raw.write(`${encodeLine(text)}\n`);
  }

  /**
   * Writes text and waits until it is on its way, so that a slow reader is not outrun. False if the reader has gone (`| head`): going
   * on would be in vain.
   */
  writeThrough(text: Text): Promise<boolean> {
    return new Promise((resolve) => {
      this.write(text, (error) => resolve(error === undefined || error === null));
    });
  }

  on(event: 'resize', listener: () => void): void {
    this.#raw.on?.(event, listener);
  }

  off(event: 'resize', listener: () => void): void {
    this.#raw.off?.(event, listener);
  }
}
