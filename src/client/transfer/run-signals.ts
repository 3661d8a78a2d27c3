import { setMaxListeners } from 'node:events';
import type { PartSignals } from '../part/part-sender.ts';

/** Long enough on most links for what is on the wire to arrive. */
const DRAIN_MS = 5_000;

export interface RoundSignals extends PartSignals {
  /** Aborted when this round ended before its time; the first reason counts. */
  readonly ended: AbortSignal;
}

/** The ways in which a run and its rounds end. */
export interface RunSignals extends PartSignals {
  /** Milliseconds that parts on the wire have to finish after an interruption. */
  readonly drainMs: number;
  readonly isInterrupted: boolean;
  beginRound(): RoundSignals;
  /** Ends what the present round sends. */
  endRound(reason: unknown): void;
  /** Ends the whole run. */
  end(reason: unknown): void;
  close(): void;
}

/**
 * `stop` is for good: a failure, or an interruption whose drain time is over. `drain` is aborted by the interruption itself as well.
 */
export function createRunSignals(interruption: AbortSignal | undefined, drainMs = DRAIN_MS): RunSignals {
  const stopping = new AbortController();
  const drain = sharedSignal(stopping.signal, ...(interruption ? [interruption] : []));
  let round: AbortController | undefined;
  let drainTimer: NodeJS.Timeout | undefined;

  function startDrain(): void {
    const reason = new Error('interrupted');
    drainTimer = setTimeout(() => stopping.abort(reason), drainMs);
  }

  interruption?.addEventListener('abort', startDrain, { once: true });
  if (interruption?.aborted) startDrain();

  return {
    stop: stopping.signal,
    drain,
    drainMs,
    get isInterrupted() {
      return interruption?.aborted === true;
    },
    beginRound() {
      round = new AbortController();
      const stop = sharedSignal(stopping.signal, round.signal);
      return { stop, drain: sharedSignal(stop, drain), ended: round.signal };
    },
    endRound(reason) {
      round?.abort(reason);
    },
    end(reason) {
      stopping.abort(reason);
    },
    close() {
      stopping.abort(new Error('the run is over'));
      clearTimeout(drainTimer);
      interruption?.removeEventListener('abort', startDrain);
    },
  };
}
/** A signal that all parts of a run listen to. Node would warn of a leak at the eleventh listener; sixteen parts are none. */
function sharedSignal(...signals: AbortSignal[]): AbortSignal {
  const shared = AbortSignal.any(signals);
  setMaxListeners(0, shared);
  return shared;
}
