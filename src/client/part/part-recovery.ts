import type { PresignedPart, WireStoredPart } from '../../contract/wire.ts';
import { UploadError } from '../../session/errors.ts';
import { retryAfterMs } from '../control-plane/retry.ts';
import type { UploadControl } from '../flow/upload-control.ts';
import { inWords, type Link, waitBefore } from '../network/link.ts';
import { sleep } from '../network/sleep.ts';
import type { EngineEvent } from '../progress/events.ts';
import type { ProgressCounter } from '../progress/progress-counter.ts';
import type { AnswerHistory } from './answer-outcome.ts';
import { judgeAnswer, type PartAnswer } from './part-answer.ts';
import { AnsweredOnTheWay, isTransient, PartFailure, StoreBusy, UrlRefused } from './part-failures.ts';
import { ConnectionFailure } from './put-part.ts';
import type { StoreProbe } from './store-probe.ts';
import type { WayToStore } from './way-to-store.ts';

export interface PartRecoveryOptions {
  readonly link: Link;
  readonly storeProbe: StoreProbe;
  readonly way: WayToStore;
  readonly counter: ProgressCounter;
  readonly control: UploadControl;
  /** Asks whether the store has a part, when the answer got lost or was not the store's. */
  readonly findStored: (partNumber: number) => Promise<WireStoredPart | undefined>;
  /** Asks whether something on the way refuses a part before it is sent. */
  readonly askToSend: (part: PresignedPart, signal: AbortSignal) => Promise<PartAnswer | undefined>;
  readonly maxTries: number;
  readonly maxOutageMs: number;
  readonly onEvent: (event: EngineEvent) => void;
  /** An awake clock: neither sleep nor a step of the wall clock uses up patience, or changes the age of a connection. */
  readonly now: () => number;
  readonly random: () => number;
}

/** Connections of the same part that may break before it is asked whether the part is refused: some break now and then. */
const BREAKS_BEFORE_QUESTION = 3;

/** The history of the attempts at one part. */
export interface Attempts extends AnswerHistory {
  /** When the first attempt failed, on a clock that stands still during pauses. */
  troubleSince: number | undefined;
  count: number;
  /** The latest attempt. */
  current: { startedAt: number; endedAt: number; bytes: number };
  /** The latest attempt handed its whole body over. */
  isWhole: boolean;
  signed: PresignedPart | undefined;
  /** The number of pauses before `signed` was signed. */
  pausesBefore: number;
  /** The store may have the part and did not say so. */
  answerLost: boolean;
  /** The ETag in the store's list, where that has the part. */
  foundEtag: string | undefined;
  brokenConnections: number;
  busyAnswers: number;
}

export interface FailedPart {
  readonly partNumber: number;
  /** Inclusive. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** The CRC32 that was signed. */
  readonly checksum: string;
}

/** Decides between two attempts at a part whether to make another, what to ask first, and how long to wait. */
export function createPartRecovery(options: PartRecoveryOptions) {
  const { link, storeProbe, way, counter, control, onEvent } = options;

  /** Stands still during pauses, which use up no patience. */
  const unpausedNow = () => options.now() - control.pausedMs;

  function isWorthRetrying(error: Error, retriesConsumed: number): boolean {
    return isTransient(error) && (!(error instanceof PartFailure) || retriesConsumed + 1 < options.maxTries);
  }

  /** Prepares the next attempt, and waits where waiting helps. p-retry adds its own back-off for failures that consume a try. */
  async function beforeRetry(part: FailedPart, error: Error, attempts: Attempts, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { partNumber, start, end } = part;
    attempts.troubleSince ??= unpausedNow();
    attempts.isWhole = attempts.current.bytes === end - start;
    attempts.answerLost = error instanceof AnsweredOnTheWay || (error instanceof ConnectionFailure && error.bodySent);
    // A part that was sent whole and not answered by the store counts as in flight until the store was asked for it.
    if (!attempts.answerLost) counter.partEnded(partNumber);
    onEvent({ type: 'retry', partNumber, attempt: attempts.count, reason: error.message });
    // A pause does not need the link, so it is not probed during one.
    await control.untilResumed(signal);
    if (error instanceof UrlRefused) attempts.signed = undefined;
    else if (error instanceof ConnectionFailure) await afterBreak(part, error, attempts, signal);
    else if (error instanceof AnsweredOnTheWay) await afterForeignAnswer(part, error, attempts, signal);
    else if (error instanceof StoreBusy) {
      checkPatience(part, attempts, `the object store answered ${error.message}`);
      await sleep(Math.max(retryAfterMs(error.retryAfterSeconds), waitBefore(attempts.busyAnswers++, options.random())), signal);
    }
  }

  async function afterBreak(part: FailedPart, error: ConnectionFailure, attempts: Attempts, signal: AbortSignal): Promise<void> {
    const { outageMs } = await link.recover(error.message, signal);
    if (outageMs > 0) {
      way.outage();
      // The outage had its own patience.
      attempts.troubleSince = undefined;
    }
    if (attempts.answerLost && (await lookUp(part, attempts))) return;
    if (outageMs > 0) return;
    if (attempts.brokenConnections >= BREAKS_BEFORE_QUESTION) await checkSize(part, attempts, signal);
    const endedAt = error.closedAt ?? attempts.current.endedAt;
    const pattern = error.givenUp ? undefined : way.cut({ ...attempts.current, endedAt });
    signal.throwIfAborted();
    // The store answers, and yet this part's connections break: not at once again.
    if (attempts.brokenConnections++ === 0 && pattern === undefined) return;
    const waitMs =
      pattern === undefined ? waitBefore(attempts.brokenConnections, options.random()) : way.waitMs(options.random());
    await waitForWay(part, pattern ?? error.message, attempts, waitMs, signal);
  }

  /** Asks for a refusal because of the size, which is never read where the proxy closes at once. @throws what the refusal leads to */
  async function checkSize({ start, end }: FailedPart, { signed }: Attempts, signal: AbortSignal): Promise<void> {
    const answer = signed && (await options.askToSend(signed, signal));
    signal.throwIfAborted();
    if (answer !== undefined && judgeAnswer(answer).kind === 'too-large') throw way.tooLarge(answer, end - start);
  }

  /** Sends nothing again before the store was asked whether it has the part, and then only where the store itself answers. */
  async function afterForeignAnswer(
    part: FailedPart,
    error: AnsweredOnTheWay,
    attempts: Attempts,
    signal: AbortSignal,
  ): Promise<void> {
    if (await lookUp(part, attempts)) {
      way.answerWasChanged(error.message);
      return;
    }
    if (!attempts.isWhole) way.cut({ ...attempts.current, answered: true });
    signal.throwIfAborted();
    checkPatience(part, attempts, error.message);
    if (attempts.signed !== undefined) storeProbe.suspect(attempts.signed);
    const { outageMs } = await link.recover(error.message, signal);
    if (outageMs > 0) way.outage();
    await waitForWay(
      part,
      error.message,
      attempts,
      Math.max(retryAfterMs(error.retryAfterSeconds), way.waitMs(options.random())),
      signal,
    );
  }

  /** Waits where the store can be reached and yet no part gets through. */
  async function waitForWay(part: FailedPart, reason: string, attempts: Attempts, wantedMs: number, signal: AbortSignal) {
    checkPatience(part, attempts, reason);
    // Not beyond the end of patience, when a last attempt is made.
    const waitMs = Math.max(0, Math.min(wantedMs, options.maxOutageMs - troubledForMs(attempts) + 1));
    way.waits(reason, waitMs);
    await sleep(waitMs, signal);
    // A part that was handed over whole may have arrived meanwhile.
    attempts.answerLost = attempts.isWhole;
    // By now the server may sign for another address.
    attempts.signed = undefined;
  }

  /** Asks the store for a part whose answer got lost, or was not the store's. */
  async function lookUp(
    { partNumber, checksum }: Pick<FailedPart, 'partNumber' | 'checksum'>,
    attempts: Attempts,
  ): Promise<boolean> {
    attempts.answerLost = false;
    const stored = await options.findStored(partNumber);
    if (stored?.checksum === checksum) {
      attempts.foundEtag = stored.etag;
      storeProbe.trust();
      way.passed(attempts.current);
      return true;
    }
    // A part that was handed over whole may still arrive.
    if (!attempts.isWhole) counter.partEnded(partNumber);
    return false;
  }

  /** Milliseconds since the first attempt that failed. */
  function troubledForMs({ troubleSince }: Attempts): number {
    return troubleSince === undefined ? 0 : unpausedNow() - troubleSince;
  }

  function checkPatience({ partNumber }: FailedPart, attempts: Attempts, reason: string): void {
    const withoutSuccessMs = troubledForMs(attempts);
    if (withoutSuccessMs <= options.maxOutageMs) return;
    const tries = `${attempts.count} attempts in ${inWords(withoutSuccessMs)}`;
    throw new UploadError('OUTAGE_TOO_LONG', `Part ${partNumber} could not be sent in ${tries}: ${reason}.`, {
      hint: 'Everything stored is kept: resume when the network is better.',
      facts: { reason },
    });
  }

  function startAttempts(): Attempts {
    return {
      troubleSince: undefined,
      count: 0,
      current: { startedAt: 0, endedAt: 0, bytes: 0 },
      isWhole: false,
      foundEtag: undefined,
      signed: undefined,
      pausesBefore: control.pauses,
      answerLost: false,
      refusedUrls: 0,
      bytesDiffered: 0,
      brokenConnections: 0,
      busyAnswers: 0,
    };
  }

  return { beforeRetry, isWorthRetrying, lookUp, startAttempts };
}
