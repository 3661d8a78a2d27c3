import type { CliContext } from '../terminal/context.ts';
import { styleOf } from '../terminal/output-style.ts';
import { JsonReporter } from './json-reporter.ts';
import { PlainReporter } from './plain-reporter.ts';
import { QuietReporter } from './quiet-reporter.ts';
import type { Reporter } from './reporter.ts';
import { TerminalReporter } from './terminal-reporter.ts';

export interface ReporterFlags {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** With JSON, stdout is for programs; a person may still watch on stderr. */
export function createReporter(context: CliContext, { json, quiet }: ReporterFlags): Reporter {
  const style = styleOf(context.stderr, context);
  const human = { context, style, printResult: !json };
  if (quiet) return json ? new JsonReporter(context, new QuietReporter(human)) : new QuietReporter(human);
  const visible = style.redraw ? new TerminalReporter(human) : new PlainReporter(human);
  return json ? new JsonReporter(context, visible) : visible;
}
