import { UploadError } from '../session/errors.ts';
import type { UploadEvent } from './events.ts';
import { pause } from './pause.ts';

export interface LinkOptions {
  /** For people, for example `the object store`. */
  readonly what: string;
  /** Resolves if it can be reached now. Must have a time limit of its own. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  readonly maxOutageMs: number;
  readonly onEvent: (event: UploadEvent) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/**
 * Whether one end can be reached: a state that all parts share. Whoever meets a broken connection waits here; one probe
 * asks for all of them. Being offline is not a failure, it costs no try.
 */
export interface Link {
  /** Resolves once the other end answers: at once if only a connection broke. @throws UploadError `OUTAGE_TOO_LONG` */
  recover(reason: string, signal: AbortSignal): Promise<void>;
}

export function createLink({ what, probe, maxOutageMs, onEvent, now = Date.now, random = Math.random }: LinkOptions): Link {
  let recovering: Promise<void> | undefined;

  async function probeUntilReachable(reason: string, signal: AbortSignal): Promise<void> {
    const since = now();
    let lastReason = reason;
    for (let attempt = 0; ; attempt++) {
      try {
        await probe(signal);
        if (attempt > 0) onEvent({ type: 'online', what, outageMs: now() - since });
        return;
      } catch (error) {
        signal.throwIfAborted();
        lastReason = error instanceof UploadError ? String(error.facts.reason ?? error.detail) : (error as Error).message;
      }
      if (now() - since >= maxOutageMs) throw outageTooLong(what, now() - since, lastReason);
      const nextTryInMs = waitBefore(attempt, random());
      onEvent({ type: 'offline', what, since, reason: lastReason, nextTryInMs });
      await pause(nextTryInMs, signal);
    }
  }

  return {
    recover(reason, signal) {
      recovering ??= probeUntilReachable(reason, signal).finally(() => {
        recovering = undefined;
      });
      return recovering;
    },
  };
}

/** Doubling, jittered by up to a half so that many clients do not come back in step. */
export function waitBefore(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return Math.round(ceiling * (0.5 + random / 2));
}

function outageTooLong(what: string, outageMs: number, reason: string): UploadError {
  const minutes = Math.round(outageMs / 60_000);
  return new UploadError('OUTAGE_TOO_LONG', `No answer from ${what} for ${minutes} minutes (${reason}).`, {
    hint: 'Everything stored is kept: resume when the network is back.',
  });
}
