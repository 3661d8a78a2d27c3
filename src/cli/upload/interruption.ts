import { exitCodeOfSignal } from '../errors/exit-codes.ts';
import { type CliContext, STOP_SIGNALS, type StopSignal } from '../terminal/context.ts';

export interface Interruption {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  readonly received: StopSignal | undefined;
  /** What the second signal prints before the process ends at once. */
  lastWords: () => string;
  /** Called by the first signal; takes the place of the words that it prints otherwise. */
  onFirst: (message: string) => void;
  /** Gives the signals back to the process. */
  dispose(): void;
}

/**
 * The first signal asks the engine to finish the parts in flight; the second ends the process. Neither touches anything
 * at the server: only `partway abort` does.
 */
export function listenForInterruption(context: CliContext): Interruption {
  const controller = new AbortController();
  const interruption = {
    signal: controller.signal,
    received: undefined as StopSignal | undefined,
    lastWords: () => 'Interrupted.',
    onFirst: (message: string): void => context.stderr.line(message),
    dispose() {
      for (const [signal, listener] of listeners) context.signals.off(signal, listener);
    },
  };
  const receive = (signal: StopSignal) => {
    if (interruption.received !== undefined) {
      context.stderr.line(interruption.lastWords());
      context.exit(exitCodeOfSignal(signal));
      return;
    }
    interruption.received = signal;
    interruption.onFirst('stopping: the parts in flight get up to 5 s to finish (once more to stop at once)');
    controller.abort();
  };
  const listeners = STOP_SIGNALS.map((signal) => [signal, () => receive(signal)] as const);
  for (const [signal, listener] of listeners) context.signals.on(signal, listener);
  return interruption;
}
