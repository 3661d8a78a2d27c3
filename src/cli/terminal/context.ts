import type { TextOutput } from './text-output.ts';

export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** `process`, or any event emitter. */
export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown;
  off(signal: StopSignal, listener: () => void): unknown;
}

/** Everything that commands take from the process around them. main.ts passes the real one, tests pass their own. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly signals: SignalSource;
  /** Ends the process at once. Only the second signal uses it. */
  readonly exit: (code: number) => void;
  readonly platform: NodeJS.Platform;
  /** Undefined if HOME is not set and the system does not know the user (containers, cron). */
  readonly homeDirectory: string | undefined;
  readonly temporaryDirectory: string;
  /** Undefined if it was deleted. */
  readonly workingDirectory: string | undefined;
  readonly pid: number;
  readonly now: () => number;
}
