import { isProgrammingError, UploadError } from '../../session/errors.ts';
import type { EngineEvent } from '../progress/events.ts';
import { certificateNotTrusted, untrustedIn } from './certificate.ts';
import { sleep } from './sleep.ts';

export interface LinkOptions {
  /** For people, for example `the object store`. */
  readonly what: string;
  /** Resolves if the other end can be reached now. Must have a time limit of its own. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  /** Whether the other end has answered before: only then is it worth waiting while its certificate is not trusted. */
  readonly hasAnswered?: () => boolean;
  readonly maxOutageMs: number;
  /** Total of the pauses so far, which use up no patience. */
  readonly pausedMs?: () => number;
  readonly onEvent: (event: EngineEvent) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

/** How long the first probe may take before the link counts as down: full buffers of a slow link hold it up for seconds. */
const FIRST_ANSWER_MS = 4_000;
/** The same limit where an earlier answer took long. */
const LONGEST_FIRST_ANSWER_MS = 10_000;
const PROMPT_MS = 250;
const MINUTE_MS = 60_000;

export interface Recovery {
  /** 0 where the other end answered at once, so that only a connection was broken. */
  readonly outageMs: number;
}

/**
 * Whether one end (the server or the store) can be reached: a state that all parts share. A part that meets a broken or still
 * connection waits here, and one series of probes serves all of them. Being offline is no failure and costs no try.
 */
export interface Link {
  /** Resolves once the other end answers. @throws UploadError `OUTAGE_TOO_LONG`, `CERTIFICATE_NOT_TRUSTED`; the signal's reason. */
  recover(reason: string, signal: AbortSignal): Promise<Recovery>;
  /** Resolves at once, or when a known outage is over: a connection begun during one has to wait for TCP's timers after it. */
  whenUp(signal: AbortSignal): Promise<unknown>;
}

export function createLink(options: LinkOptions): Link {
  const {
    what,
    probe,
    hasAnswered = () => false,
    maxOutageMs,
    pausedMs = () => 0,
    onEvent,
    now = () => performance.now(),
    random = Math.random,
  } = options;
  let recovering: Promise<Recovery> | undefined;
  let isDown = false;
  let firstAnswerMs = FIRST_ANSWER_MS;

  async function recover(reason: string, signal: AbortSignal): Promise<Recovery> {
    const since = now();
    const pausedMsBefore = pausedMs();
    let lastReason = reason;
    const over = new AbortController();
    const probing = AbortSignal.any([signal, over.signal]);
    let answered = false;
    let setAnswered = () => {};
    let failWith: (error: unknown) => void = () => {};
    const answer = new Promise<void>((resolve, reject) => {
      setAnswered = resolve;
      failWith = reject;
    });
    // The answer may come while nothing awaits it: the next race sees it.
    answer.catch(() => {});
    /** Settles when this probe has an answer or has failed. A slow probe goes on beside the next: its answer counts whenever it comes. */
    const ask = () => {
      const askedAt = now();
      return probe(probing).then(
        () => {
          answered = true;
          firstAnswerMs = Math.min(LONGEST_FIRST_ANSWER_MS, Math.max(FIRST_ANSWER_MS, 2 * (now() - askedAt)));
          setAnswered();
        },
        (error: unknown) => {
          if (probing.aborted) return;
          const untrusted = hasAnswered() ? undefined : untrustedIn(error);
          if (isProgrammingError(error)) failWith(error);
          else if (untrusted !== undefined) failWith(certificateNotTrusted(what, untrusted));
          lastReason = describe(error);
        },
      );
    };
    try {
      await Promise.race([answer, ask(), wait(firstAnswerMs, probing)]);
      if (answered) return { outageMs: 0 };
      for (;;) {
        signal.throwIfAborted();
        const outageMs = now() - since;
        if (outageMs - (pausedMs() - pausedMsBefore) >= maxOutageMs) throw outageTooLong(what, outageMs, lastReason);
        const nextTryInMs = waitBetweenProbes(outageMs, random());
        isDown = true;
        onEvent({ type: 'offline', what, since, reason: lastReason, nextTryInMs });
        await Promise.race([answer, wait(nextTryInMs, probing)]);
        // Most probes are answered or fail at once; a slow one goes on until after the next is due.
        if (!answered) await Promise.race([answer, ask(), wait(PROMPT_MS, probing)]);
        if (answered) break;
      }
      onEvent({ type: 'online', what, outageMs: now() - since });
      return { outageMs: now() - since };
    } finally {
      over.abort(new Error('answered'));
    }
  }

  return {
    recover(reason, signal) {
      recovering ??= recover(reason, signal).finally(() => {
        recovering = undefined;
        isDown = false;
      });
      return unlessAborted(recovering, signal);
    },
    whenUp: async (signal) => {
      if (isDown && recovering !== undefined) await unlessAborted(recovering, signal);
    },
  };
}

/** Ends the caller's own waiting with its signal. Other callers go on waiting. */
function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** Short while people are likely to watch, so that the upload is back within seconds; long in a long outage. Jittered. */
export function waitBetweenProbes(outageMs: number, random: number): number {
  const longest = outageMs < 10 * MINUTE_MS ? 1_500 : outageMs < 60 * MINUTE_MS ? 5_000 : 20_000;
  return Math.round(longest * (0.7 + 0.3 * random));
}

/** Formats a duration in seconds, or in minutes from three on. */
export function inWords(ms: number): string {
  return ms < 3 * MINUTE_MS ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / MINUTE_MS)} minutes`;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

/** Wait before the next attempt at a call that fails although its end can be reached. Doubling, jittered by up to a half. */
export function waitBefore(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
  return Math.round(ceiling * (0.5 + random / 2));
}

const FIRST_WAIT_IN_VAIN_MS = 700;
const LONGEST_WAIT_IN_VAIN_MS = 5 * MINUTE_MS;

/** Wait before another body is sent where none gets through: each wastes its bytes, so waits grow fast. Jittered by up to a half. */
export function waitInVain(attempt: number, random: number): number {
  const ceiling = Math.min(LONGEST_WAIT_IN_VAIN_MS, FIRST_WAIT_IN_VAIN_MS * 3 ** attempt);
  return Math.round(ceiling * (0.5 + random / 2));
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  // The signal may end it early; the caller looks at what has happened.
  await sleep(ms, signal).catch(() => {});
}

function describe(error: unknown): string {
  if (error instanceof UploadError) return String(error.facts.reason ?? error.detail);
  return error instanceof Error ? error.message : String(error);
}

function outageTooLong(what: string, outageMs: number, reason: string): UploadError {
  return new UploadError('OUTAGE_TOO_LONG', `No answer from ${what} for ${inWords(outageMs)} (${reason}).`, {
    hint: 'Everything stored is kept: resume when the network is back.',
  });
}
