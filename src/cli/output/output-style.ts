import type { CliContext, Output } from '../context.ts';

/** What the place that text goes to can show. */
export interface OutputStyle {
  /** One line can be redrawn in place. */
  readonly redraw: boolean;
  readonly colour: boolean;
  readonly unicode: boolean;
}

export function styleOf(output: Output, { env, platform }: Pick<CliContext, 'env' | 'platform'>): OutputStyle {
  const terminal = output.isTTY === true && env.TERM !== 'dumb';
  return { redraw: terminal, colour: wantsColour(env, terminal), unicode: speaksUnicode(env, platform) };
}

/** https://no-color.org: any non-empty value. FORCE_COLOR=0 means no as well. */
function wantsColour(env: CliContext['env'], terminal: boolean): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return terminal;
}

function speaksUnicode(env: CliContext['env'], platform: NodeJS.Platform): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG;
  if (locale) return /utf-?8/i.test(locale);
  // Both have terminals that show Unicode without naming a locale.
  return platform === 'darwin' || (platform === 'win32' && env.WT_SESSION !== undefined);
}

export function arrow({ unicode }: Pick<OutputStyle, 'unicode'>): string {
  return unicode ? '→' : '->';
}

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const;

export function paint(text: string, colour: keyof typeof CODES, style: Pick<OutputStyle, 'colour'>): string {
  if (!style.colour || text === '') return text;
  const [on, off] = CODES[colour];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}

export function colourError(text: string, style: Pick<OutputStyle, 'colour'>): string {
  return text.replaceAll(/^error:/gm, paint('error:', 'red', style));
}
