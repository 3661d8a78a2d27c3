import { crc32 } from 'node:zlib';
import pRetry from 'p-retry';
import type { PresignedPart } from '../../contract/wire.ts';
import { RunningChecksum } from '../../session/checksum.ts';
import type { Turn } from '../flow/slots.ts';
import type { Connections } from '../network/connections.ts';
import type { Liveness } from '../network/liveness.ts';
import type { ByteSource } from '../source/byte-source.ts';
import { checksumOfRange, endedEarly } from '../source/checksum.ts';
import { etagFrom } from './answer-outcome.ts';
import type { PartAnswer } from './part-answer.ts';
import { changedWhileSending, isTransient, PartFailure, triesUsedUp } from './part-failures.ts';
import { type Attempts, createPartRecovery, type PartRecoveryOptions } from './part-recovery.ts';
import { type PartBody, putPart } from './put-part.ts';

export interface SentPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly checksum: string;
  readonly size: number;
}

export interface PartSenderOptions extends PartRecoveryOptions {
  readonly source: ByteSource;
  readonly sign: (partNumber: number, checksum: string) => Promise<PresignedPart>;
  readonly connections: Connections;
  readonly liveness: Liveness;
  /** Runs while one of the places for bodies on the wire is free; `release` gives it back. */
  readonly inPlace: InPlace;
  /** Notices whether the source may have changed. @throws UploadError `SOURCE_CHANGED` if it cannot be what was opened. */
  readonly look: () => Promise<void>;
  readonly stallMs: number;
  /** @throws ConnectionFailure where something that speaks TLS alone answered a part in plain HTTP. */
  readonly refuseOnlyTls: (answer: PartAnswer, url: string) => Promise<void>;
}

export type InPlace = <Result>(work: (release: () => void) => Promise<Result>) => Promise<Result>;

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
  const { source, connections, link, storeProbe, way, tally, control } = options;
  const recovery = createPartRecovery(options);

  return async function sendPart(part: PartToSend, signals: PartSignals): Promise<SentPart> {
    const { partNumber, start, end } = part;
    await control.untilResumed(signals.drain);
    await options.look();
    // The first pass: the URL is signed for exactly these bytes.
    const checksum = await checksumOfRange(source, start, end, { signal: signals.stop });
    const attempts = recovery.startAttempts();
    try {
      const etag = await pRetry(() => attempt(part, checksum, attempts, signals), {
        // Tries are counted in shouldRetry: p-retry's own limit would end the part at an outage after its last try.
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 500,
        maxTimeout: 30_000,
        randomize: true,
        signal: signals.stop,
        onFailedAttempt: async ({ error, retriesConsumed }) => {
          if (recovery.isWorthRetrying(error, retriesConsumed))
            await recovery.beforeRetry({ ...part, checksum }, error, attempts, signals.drain);
        },
        // A TypeError that consumes no try is repeated by p-retry at once, for ever, and `shouldRetry` is not even asked.
        shouldConsumeRetry: ({ error }) => error instanceof PartFailure || !isTransient(error),
        shouldRetry: ({ error, retriesConsumed }) => recovery.isWorthRetrying(error, retriesConsumed),
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
    if (attempts.answerLost) await recovery.lookUp({ partNumber, checksum }, attempts);
    if (attempts.foundEtag !== undefined) return attempts.foundEtag;
    await freshUrl(partNumber, checksum, attempts);
    const body = summedBody(source, start, end);
    await turn.mine;
    attempts.current = { startedAt: options.now(), endedAt: 0, bytes: 0 };
    const { current } = attempts;
    const placed = options.inPlace(async (release) => {
      // It may have waited for its place; an interruption or a pause lets only finish what is on the wire.
      drain.throwIfAborted();
      await link.whenUp(drain);
      const { url, headers } = await urlOutsidePause(partNumber, checksum, attempts, drain);
      tally.partStarted(partNumber);
      storeProbe.sends(partNumber);
      current.startedAt = options.now();
      const answer = await putPart({
        url,
        headers,
        body,
        agent: connections.agentFor(url),
        stallMs: options.stallMs,
        signal: stop,
        limiter: control.limiter,
        watch: options.liveness.watch,
        now: options.now,
        onBytes: (count) => {
          current.bytes += count;
          tally.sent(partNumber, count);
        },
        // The next part may use the link while this one's answer is on its way.
        onBodySent: release,
      });
      await options.refuseOnlyTls(answer, url);
      return answer;
    });
    turn.pass();
    const answer = await placed.finally(() => {
      current.endedAt = options.now();
    });
    const etag = etagFrom(answer, attempts, {
      size: end - start,
      signedChecksum: checksum,
      sentChecksum: body.checksum(),
      changed: () => changedWhileSending(source),
      tooLarge: (refusal) => way.tooLarge(refusal, end - start),
    });
    options.liveness.partStored(end - start, current.startedAt);
    storeProbe.trust();
    way.passed(current);
    return etag;
  }

  /** The URL that there is, unless a pause may have outlived it, or the store has moved. */
  async function freshUrl(partNumber: number, checksum: string, attempts: Attempts): Promise<PresignedPart> {
    if (attempts.pausesBefore !== control.pauses) attempts.signed = undefined;
    if (attempts.signed !== undefined && !storeProbe.isCurrent(attempts.signed)) attempts.signed = undefined;
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
}

/** The part's bytes, summed again on their way. */
function summedBody(source: ByteSource, start: number, end: number): PartBody & { checksum(): string } {
  const checksum = new RunningChecksum(crc32);
  let length = 0;
  return {
    pieces: source.read(start, end),
    look(piece) {
      checksum.add(piece);
      length += piece.length;
    },
    end() {
      if (length !== end - start) throw endedEarly(source, start + length);
    },
    checksum: () => checksum.value,
  };
}
