import { exitCodeOfSignal } from '../errors/exit-codes.ts';
import { type CliContext, STOP_SIGNALS, type StopSignal } from '../terminal/context.ts';

/** The texts that the two signals print. Each is made when the signal comes, so that it says what is true then. */
export interface StopWords {
  /** Completes "stopping: …": the first signal's wait, if it waits for anything. */
  readonly first: () => string;
  /** The second signal prints this before the process ends at once. */
  readonly last: () => string;
}

/** While no file is being sent: before the first, between two, and while the server is waited for. */
export const BETWEEN_FILES: StopWords = { first: () => 'nothing is being sent', last: () => 'Interrupted.' };

export interface Interruption {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly received: StopSignal | undefined;
  words: StopWords;
  /** Gives the signals back to the process. */
  dispose(): void;
}

/**
 * The first signal asks the engine to finish the parts in flight; the second ends the process. Neither touches anything
 * at the server: only `partway abort` does.
 */
export function listenForInterruption(context: CliContext, note: (message: string) => void): Interruption {
  const controller = new AbortController();
  const interruption = {
    signal: controller.signal,
    received: undefined as StopSignal | undefined,
    words: BETWEEN_FILES,
    dispose() {
      for (const [signal, listener] of listeners) context.signals.off(signal, listener);
    },
  };
  const receive = (signal: StopSignal) => {
    if (interruption.received !== undefined) {
      context.stderr.line(interruption.words.last());
      context.exit(exitCodeOfSignal(signal));
      return;
    }
    interruption.received = signal;
    note(`stopping: ${interruption.words.first()} (once more to stop at once)`);
    controller.abort();
  };
  const listeners = STOP_SIGNALS.map((signal) => [signal, () => receive(signal)] as const);
  for (const [signal, listener] of listeners) context.signals.on(signal, listener);
  return interruption;
}
