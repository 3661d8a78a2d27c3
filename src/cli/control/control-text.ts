import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { CliContext } from '../terminal/context.ts';
import type { ControlState } from './control-line.ts';

/** Says how an upload stands after a word from another terminal. `say` is given the name that people know it by. */
export function printControl(
  { stdout }: CliContext,
  json: boolean,
  state: ControlState,
  say: (name: string) => readonly string[],
): ExitCode {
  const lines = json ? [JSON.stringify({ type: 'control', ...state })] : say(`${state.fileName} (${state.sessionId})`);
  for (const line of lines) stdout.line(line);
  return EXIT.ok;
}
