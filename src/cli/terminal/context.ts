import type { TextOutput } from './text-output.ts';

export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** `process`, or any event emitter. */
export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown;
  off(signal: StopSignal, listener: () => void): unknown;
}

/** Everything the commands take from the process around them: main.ts passes the real one, tests pass their own. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly signals: SignalSource;
  /** Ends the process at once; for the second signal only. */
  readonly exit: (code: number) => void;
  readonly platform: NodeJS.Platform;
  /** Undefined where HOME is not set and the user has no entry in the system's list (containers, cron). */
  readonly homeDirectory: string | undefined;
  readonly temporaryDirectory: string;
  /** Undefined where it was deleted. */
  readonly workingDirectory: string | undefined;
  readonly pid: number;
  readonly now: () => number;
}
