import { escapeInvisible } from '../../text/visible-text.ts';

/**
 * Text with partway's own escape sequences: colours, and erasing a line. Only this file creates it, and escapes everything else in it,
 * so text from outside never becomes a sequence. Converted to a plain string, it has no sequences.
 */
class Styled {
  /** The text as sent to a terminal. */
  readonly #sequences: string;

  constructor(sequences: string) {
    this.#sequences = sequences;
  }

  static sequencesOf(styled: Styled): string {
    return styled.#sequences;
  }

  toString(): string {
    return this.#sequences.replaceAll(OWN_SEQUENCES, '');
  }
}

export type StyledText = Styled;
/** A plain string may come from anywhere, so it is escaped before it is written. */
export type Text = string | StyledText;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
const OWN_SEQUENCES = /\x1b\[\d{1,2}m|\r\x1b\[2K/g;
/** Moves to the beginning of the line and erases it. */
export const ERASE_LINE: StyledText = new Styled('\r\x1b[2K');

const COLOURS = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const;
export type Colour = keyof typeof COLOURS;

export function coloured(text: string, colour: Colour): StyledText {
  const [on, off] = COLOURS[colour];
  return new Styled(`\x1b[${on}m${escapeInvisible(text)}\x1b[${off}m`);
}

/** Template tag. Escapes line breaks in the values, which are one line each, but not those of the template itself. */
export function styled(template: TemplateStringsArray, ...values: Text[]): StyledText {
  return new Styled(
    template.map((chunk, index) => chunk + (index < values.length ? encodeLine(values[index] ?? '') : '')).join(''),
  );
}

export function joinStyled(lines: readonly Text[], separator: string): StyledText {
  return new Styled(lines.map(encodeLine).join(escapeLines(separator)));
}

/** Several lines of partway's own text. */
export function block(text: string): StyledText {
  return new Styled(escapeLines(text));
}

/** Keeps the colours that a library gave to text. Only for partway's own words: the colours of a name from outside would stay as well. */
export function keepColours(text: string): StyledText {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  const pieces = text.split(/(\x1b\[\d{1,2}m)/);
  return new Styled(pieces.map((piece, index) => (index % 2 === 1 ? piece : escapeLines(piece))).join(''));
}

/** Encodes whole lines for the terminal. */
export function encode(text: Text): string {
  return typeof text === 'string' ? escapeLines(text) : Styled.sequencesOf(text);
}

/** Encodes one line, or a piece of one: escapes line breaks as well. */
export function encodeLine(text: Text): string {
  return typeof text === 'string' ? escapeInvisible(text) : Styled.sequencesOf(text);
}

function escapeLines(text: string): string {
  return text.split('\n').map(escapeInvisible).join('\n');
}
