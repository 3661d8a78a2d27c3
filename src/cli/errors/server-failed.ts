import { EXIT, type ExitCode } from './exit-codes.ts';

/** `partway serve` could not start, or an error stopped it. The cause's message is for the person who runs it. */
export class ServerFailed extends Error {
  override readonly name = 'ServerFailed';
  /** The next thing to do, if the cause says so. */
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;

  constructor(cause: unknown, exitCode: ExitCode = EXIT.failure) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    const { hint } = cause as { hint?: unknown };
    this.exitCode = exitCode;
    this.hint = typeof hint === 'string' ? hint : undefined;
  }
}
