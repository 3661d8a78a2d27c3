import { EventEmitter } from 'node:events';
import { runCli } from '../../../src/cli/run-cli.ts';
import type { CliContext } from '../../../src/cli/terminal/context.ts';
import { TextOutput } from '../../../src/cli/terminal/text-output.ts';

export const NOON = Date.UTC(2026, 10, 23, 12);

/** Collects what is written to it, and can pretend to be a terminal. */
export class TextCollector extends TextOutput {
  readonly #collected: { text: string };

  constructor(terminal: { columns: number } | undefined = undefined) {
    const collected = {
      text: '',
      isTTY: terminal !== undefined,
      columns: terminal?.columns,
      write(text: string, done?: () => void): void {
        collected.text += text;
        done?.();
      },
    };
    super(collected);
    this.#collected = collected;
  }

  get text(): string {
    return this.#collected.text;
  }

  get lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }

  get jsonLines(): Record<string, unknown>[] {
    return this.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

export interface TestContext extends CliContext {
  readonly stdout: TextCollector;
  readonly stderr: TextCollector;
  readonly signals: EventEmitter;
  readonly exits: number[];
}

/** Returns a made-up process: nothing of the real process leaks into it, and it writes nothing outside `homeDirectory`. */
export function aContext(overrides: Partial<TestContext> = {}): TestContext {
  const exits: number[] = [];
  return {
    env: { LANG: 'C.UTF-8' },
    stdout: new TextCollector(),
    stderr: new TextCollector(),
    signals: new EventEmitter(),
    exits,
    exit: (code) => void exits.push(code),
    platform: 'linux',
    homeDirectory: '/nowhere',
    temporaryDirectory: '/nowhere/tmp',
    workingDirectory: '/',
    pid: process.pid,
    now: () => NOON,
    ...overrides,
  };
}

export async function runForTest(argv: readonly string[], overrides: Partial<TestContext> = {}) {
  const context = aContext(overrides);
  const exitCode = await runCli(argv, context);
  return { exitCode, stdout: context.stdout, stderr: context.stderr, context };
}
