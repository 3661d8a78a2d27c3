import { encode, encodeLine, type Text } from './styled-text.ts';

/** Takes text as it is: `process.stdout`, `process.stderr`, or a collector in tests. Only `TextOutput` writes to it. */
export interface RawOutput {
  /** `done` is called when the text is on its way, or with the reason why it never will be. */
  write(text: string, done?: (error?: Error | null) => void): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

/**
 * Where all text of the commands goes. What a terminal would obey is escaped here, so a command cannot forget it; escape sequences
 * of our own pass as `StyledText`.
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

  /** Line breaks stay. A name in the text can have some, too: see `line`. */
  write(text: Text, done?: (error?: Error | null) => void): void {
    this.#raw.write(encode(text), done);
  }

  /** One line, whatever is in the text: a line break in a name begins none. */
  line(text: Text): void {
    this.#raw.write(`${encodeLine(text)}\n`);
  }

  on(event: 'resize', listener: () => void): void {
    this.#raw.on?.(event, listener);
  }

  off(event: 'resize', listener: () => void): void {
    this.#raw.off?.(event, listener);
  }
}
