import { crc32 } from 'node:zlib';
import pRetry from 'p-retry';
import type { PresignedPart, WireStoredPart } from '../../contract/wire.ts';
import { EMPTY_CRC32, encodeCrc32 } from '../../session/crc32.ts';
import { UploadError } from '../../session/errors.ts';
import type { UploadEvent } from '../events.ts';
import type { Connections } from '../link/connections.ts';
import { type Link, waitBefore } from '../link/link.ts';
import type { Liveness } from '../link/liveness.ts';
import { pause } from '../link/pause.ts';
import type { Turn } from '../pace/lanes.ts';
import type { Tally } from '../pace/tally.ts';
import type { UploadControl } from '../pace/upload-control.ts';
import type { ByteSource } from '../source/byte-source.ts';
import { checksumOfRange, endedEarly } from '../source/checksum.ts';
import { judgeAnswer, type PartAnswer } from './part-answer.ts';
import {
  changedWhileSending,
  isTransient,
  PartFailure,
  refusedByStore,
  StoreBusy,
  storeFull,
  triesUsedUp,
  UploadLost,
  UrlRefused,
} from './part-failures.ts';
import { ConnectionFailure, type PartBody, putPart } from './part-request.ts';

export interface SentPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly checksum: string;
  readonly size: number;
}

export interface PartSenderOptions {
  readonly source: ByteSource;
  readonly sign: (partNumber: number, checksum: string) => Promise<PresignedPart>;
  readonly connections: Connections;
  readonly link: Link;
  readonly tally: Tally;
  readonly control: UploadControl;
  readonly liveness: Liveness;
  /** Runs while one of the places for bodies on the wire is free; `release` gives it back. */
  readonly inPlace: InPlace;
  /** What the store has of a part, asked when only its answer may have got lost. */
  readonly findStored: (partNumber: number) => Promise<WireStoredPart | undefined>;
  /** Notices whether the source may have changed. @throws UploadError `SOURCE_CHANGED` if it cannot be what was opened. */
  readonly look: () => Promise<void>;
  readonly maxTries: number;
  readonly stallMs: number;
  readonly maxOutageMs: number;
  readonly onEvent: (event: UploadEvent) => void;
  readonly now: () => number;
  readonly random: () => number;
}

export type InPlace = <Result>(work: (release: () => void) => Promise<Result>) => Promise<Result>;

/** Longer than this, and a store that says "later" is asked anyway. */
const LONGEST_RETRY_AFTER_MS = 60_000;

export interface PartToSend {
  readonly partNumber: number;
  /** Inclusive. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly turn: Turn;
}

export interface PartSignals {
  /** Ends everything at once. */
  readonly stop: AbortSignal;
  /** Lets a request under way finish, and begins nothing more. */
  readonly drain: AbortSignal;
}

/** Sends one part until the store has it, or it is clear that it never will. Knows nothing of other parts. */
export function createPartSender(options: PartSenderOptions) {
  const { source, connections, link, tally, control, onEvent } = options;

  /** Stands still in a pause: no patience is used up by it. */
  const unpausedNow = () => options.now() - control.pausedMs;

  return async function sendPart(part: PartToSend, signals: PartSignals): Promise<SentPart> {
    const { partNumber, start, end } = part;
    await control.untilResumed(signals.drain);
    await options.look();
    // The first pass: the URL is signed for exactly these bytes.
    const checksum = await checksumOfRange(source, start, end, { signal: signals.stop });
    const attempts = startAttempts();
    try {
      const etag = await pRetry(() => attempt(part, checksum, attempts, signals), {
        // Tries are counted in shouldRetry: p-retry's own limit would end the part at an outage after its last try.
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 500,
        maxTimeout: 30_000,
        randomize: true,
        signal: signals.stop,
        onFailedAttempt: async ({ error, retriesConsumed }) => {
          if (isWorthRetrying(error, retriesConsumed)) await beforeRetry(partNumber, error, attempts, signals.drain);
        },
        shouldConsumeRetry: ({ error }) => error instanceof PartFailure,
        shouldRetry: ({ error, retriesConsumed }) => isWorthRetrying(error, retriesConsumed),
      });
      return { partNumber, etag, checksum, size: end - start };
    } catch (error) {
      tally.partEnded(partNumber);
      throw error instanceof PartFailure ? triesUsedUp(partNumber, options.maxTries, error) : error;
    }
  };

  async function attempt(
    { partNumber, start, end, turn }: PartToSend,
    checksum: string,
    attempts: Attempts,
    { stop, drain }: PartSignals,
  ): Promise<string> {
    attempts.count += 1;
    if (attempts.answerLost) {
      attempts.answerLost = false;
      const stored = await options.findStored(partNumber);
      if (stored?.checksum === checksum) return stored.etag;
      tally.partEnded(partNumber);
    }
    await freshUrl(partNumber, checksum, attempts);
    const body = summedBody(source, start, end);
    await turn.mine;
    let startedAt = 0;
    const placed = options.inPlace(async (release) => {
      // It may have waited for its place; an interruption or a pause lets only finish what is on the wire.
      drain.throwIfAborted();
      await link.whenUp(drain);
      const { url, headers } = await urlOutsidePause(partNumber, checksum, attempts, drain);
      tally.partStarted(partNumber);
      startedAt = options.now();
      return putPart({
        url,
        headers,
        body,
        agent: connections.agentFor(url),
        stallMs: options.stallMs,
        signal: stop,
        limiter: control.limiter,
        watch: options.liveness.watch,
        onBytes: (count) => tally.sent(partNumber, count),
        // The next part may use the link while this one's answer is on its way.
        onBodySent: release,
      });
    });
    turn.pass();
    const answer = await placed;
    const etag = etagFrom(answer, attempts, checksum, body.checksum());
    options.liveness.partStored(end - start, startedAt);
    return etag;
  }

  /** The URL that there is, unless a pause may have outlived it. */
  async function freshUrl(partNumber: number, checksum: string, attempts: Attempts): Promise<PresignedPart> {
    if (attempts.pausesBefore !== control.pauses) attempts.signed = undefined;
    attempts.pausesBefore = control.pauses;
    attempts.signed ??= await options.sign(partNumber, checksum);
    return attempts.signed;
  }

  /** Signing takes its time, and another pause may begin meanwhile. */
  async function urlOutsidePause(
    partNumber: number,
    checksum: string,
    attempts: Attempts,
    drain: AbortSignal,
  ): Promise<PresignedPart> {
    for (;;) {
      await control.untilResumed(drain);
      const signed = await freshUrl(partNumber, checksum, attempts);
      if (!control.paused) return signed;
    }
  }

  function etagFrom(answer: PartAnswer, attempts: Attempts, signedChecksum: string, sentChecksum: string): string {
    const verdict = judgeAnswer(answer);
    const said = `HTTP ${answer.status}${answer.code ? ` ${answer.code}` : ''}${answer.message ? `: ${answer.message}` : ''}`;
    if (verdict.kind !== 'sign-again') attempts.refusedUrls = 0;
    switch (verdict.kind) {
      case 'stored':
        // The store has checked the signed checksum; this catches a store that does not.
        if (sentChecksum !== signedChecksum) throw changedWhileSending(source);
        return verdict.etag;
      case 'sign-again':
        attempts.signed = undefined;
        attempts.refusedUrls += 1;
        // A fresh URL is refused too: it is not the URL's age.
        if (attempts.refusedUrls > 1) throw refusedByStore(said);
        throw new UrlRefused(said);
      case 'busy':
        throw new StoreBusy(said, verdict.retryAfterSeconds);
      case 'upload-lost':
        throw new UploadLost(said);
      case 'bytes-differ':
        attempts.bytesDiffered += 1;
        if (attempts.bytesDiffered > 1) throw changedWhileSending(source);
        throw new PartFailure(said);
      case 'not-the-store':
        throw new ConnectionFailure(`something other than the object store answered: ${said}`);
      case 'failed':
        throw new PartFailure(said);
      case 'store-full':
        throw storeFull(said);
      case 'refused':
        throw refusedByStore(said);
    }
  }

  function isWorthRetrying(error: Error, retriesConsumed: number): boolean {
    return isTransient(error) && (!(error instanceof PartFailure) || retriesConsumed + 1 < options.maxTries);
  }

  /** Between attempts: waits where waiting helps. p-retry adds its own back-off for failures that consume a try. */
  async function beforeRetry(partNumber: number, error: Error, attempts: Attempts, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    attempts.answerLost ||= error instanceof ConnectionFailure && error.bodySent;
    // Sent whole and not answered, it is in flight until the store was asked whether it has it.
    if (!attempts.answerLost) tally.partEnded(partNumber);
    onEvent({ type: 'retry', partNumber, attempt: attempts.count, reason: error.message });
    // Nobody needs the link meanwhile, so nobody asks for it either.
    await control.untilResumed(signal);
    if (error instanceof ConnectionFailure) {
      const { outageMs } = await link.recover(error.message, signal);
      // The store answers, and yet this part's connections break: not at once again.
      if (outageMs === 0 && attempts.brokenConnections++ > 0) await waitInVain(attempts, signal);
    } else if (error instanceof StoreBusy) {
      checkPatience(attempts);
      const askedFor = (error.retryAfterSeconds ?? 0) * 1_000;
      await pause(
        Math.max(Math.min(askedFor, LONGEST_RETRY_AFTER_MS), waitBefore(attempts.busyAnswers++, options.random())),
        signal,
      );
    }
  }

  async function waitInVain(attempts: Attempts, signal: AbortSignal): Promise<void> {
    checkPatience(attempts);
    await pause(waitBefore(attempts.brokenConnections, options.random()), signal);
  }

  function checkPatience({ startedAt }: Attempts): void {
    const withoutSuccessMs = unpausedNow() - startedAt;
    if (withoutSuccessMs <= options.maxOutageMs) return;
    throw new UploadError('OUTAGE_TOO_LONG', `A part could not be sent for ${Math.round(withoutSuccessMs / 60_000)} minutes.`, {
      hint: 'Everything stored is kept: resume when the network is better.',
    });
  }

  function startAttempts(): Attempts {
    return {
      startedAt: unpausedNow(),
      count: 0,
      signed: undefined,
      pausesBefore: control.pauses,
      answerLost: false,
      refusedUrls: 0,
      bytesDiffered: 0,
      brokenConnections: 0,
      busyAnswers: 0,
    };
  }
}

/** What the attempts at one part have met so far. */
interface Attempts {
  /** On a clock that stands still in pauses. */
  readonly startedAt: number;
  count: number;
  signed: PresignedPart | undefined;
  /** Those before it was signed. */
  pausesBefore: number;
  /** The last attempt sent the whole body and heard nothing: the store may have the part. */
  answerLost: boolean;
  refusedUrls: number;
  bytesDiffered: number;
  brokenConnections: number;
  busyAnswers: number;
}

/** The part's bytes, summed again on their way. */
function summedBody(source: ByteSource, start: number, end: number): PartBody & { checksum(): string } {
  let crc = EMPTY_CRC32;
  let length = 0;
  return {
    pieces: source.read(start, end),
    look(piece) {
      crc = crc32(piece, crc);
      length += piece.length;
    },
    end() {
      if (length !== end - start) throw endedEarly(source, start + length);
    },
    checksum: () => encodeCrc32(crc),
  };
}
