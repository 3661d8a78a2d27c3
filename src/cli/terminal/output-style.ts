import type { CliContext } from './context.ts';
import { type Colour, coloured, joinStyled, styled, type Text } from './styled-text.ts';
import type { TextOutput } from './text-output.ts';

/** Capabilities of the output that text goes to. */
export interface OutputStyle {
  /** A line can be redrawn in place. */
  readonly redraw: boolean;
  readonly colour: boolean;
  readonly unicode: boolean;
}

export function styleOf(output: Pick<TextOutput, 'isTTY'>, { env, platform }: Pick<CliContext, 'env' | 'platform'>): OutputStyle {
  const terminal = output.isTTY && env.TERM !== 'dumb';
  return { redraw: terminal, colour: wantsColour(env, terminal), unicode: speaksUnicode(env, platform) };
}

/** NO_COLOR counts with any non-empty value (https://no-color.org). FORCE_COLOR=0 means no as well. */
function wantsColour(env: CliContext['env'], terminal: boolean): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return terminal;
}

function speaksUnicode(env: CliContext['env'], platform: NodeJS.Platform): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  if (locale) return /utf-?8/i.test(locale);
  // Terminals of macOS, and Windows Terminal, show Unicode without naming a locale.
  return platform === 'darwin' || (platform === 'win32' && env.WT_SESSION !== undefined);
}

export function arrow({ unicode }: Pick<OutputStyle, 'unicode'>): string {
  return unicode ? '→' : '->';
}

export function paint(text: string, colour: Colour, style: Pick<OutputStyle, 'colour'>): Text {
  return style.colour && text !== '' ? coloured(text, colour) : text;
}

const ERROR = 'error:';

export function colourError(text: string, style: Pick<OutputStyle, 'colour'>): Text {
  const lines = text.split('\n').map((line) => {
    return line.startsWith(ERROR) ? styled`${paint(ERROR, 'red', style)}${line.slice(ERROR.length)}` : line;
  });
  return joinStyled(lines, '\n');
}
