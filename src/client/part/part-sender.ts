import { crc32 } from 'node:zlib';
import pRetry from 'p-retry';
import type { PresignedPart } from '../../contract/wire.ts';
import { RunningChecksum } from '../../session/checksum.ts';
import type { InSendSlot } from '../flow/slots.ts';
import type { Connections } from '../network/connections.ts';
import type { Liveness } from '../network/liveness.ts';
import type { ByteSource } from '../source/byte-source.ts';
import { checksumOfRange, endedEarly } from '../source/checksum.ts';
import { etagFrom } from './answer-outcome.ts';
import type { PartAnswer } from './part-answer.ts';
import { changedWhileSending, isTransient, PartFailure, triesUsedUp } from './part-failures.ts';
import { type Attempts, createPartRecovery, type PartRecoveryOptions } from './part-recovery.ts';
import type { PartUrls } from './part-urls.ts';
import { type PartBody, putPart } from './put-part.ts';

export interface SentPart {
  readonly partNumber: number;
  readonly etag: string;
  readonly checksum: string;
  readonly size: number;
}

export interface PartSenderOptions extends PartRecoveryOptions {
  readonly source: ByteSource;
  readonly urls: Pick<PartUrls, 'sign' | 'isCurrent'>;
  readonly connections: Connections;
  readonly liveness: Liveness;
  /** Notices whether the source may have changed. @throws UploadError `SOURCE_CHANGED` if it cannot be what was opened. */
  readonly look: () => Promise<void>;
  readonly stallMs: number;
  /** @throws ConnectionFailure where something that speaks TLS alone answered a part in plain HTTP. */
  readonly refuseOnlyTls: (answer: PartAnswer, url: string) => Promise<void>;
}

export interface PartToSend {
  readonly partNumber: number;
  /** Inclusive. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

export interface PartSignals {
  /** Ends everything at once. */
  readonly stop: AbortSignal;
  /** Lets a request under way finish, and begins nothing more. */
  readonly drain: AbortSignal;
}

/** Sends one part until the store has it, or until it is clear that it never will. Knows nothing of other parts. */
export function createPartSender(options: PartSenderOptions) {
  const { source, urls, connections, link, storeProbe, way, counter, control } = options;
  const recovery = createPartRecovery(options);

  return async function sendPart(part: PartToSend, inSendSlot: InSendSlot, signals: PartSignals): Promise<SentPart> {
    const { partNumber, start, end } = part;
    await control.untilResumed(signals.drain);
    await options.look();
    // The URL is signed for exactly the bytes of this first reading.
    const checksum = await checksumOfRange(source, start, end, { signal: signals.stop });
    const attempts = recovery.startAttempts();
    try {
      const etag = await pRetry(() => attempt(part, checksum, attempts, inSendSlot, signals), {
        // shouldRetry counts the tries: p-retry's own limit would end the part at an outage after its last try.
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
      counter.partEnded(partNumber);
      throw error instanceof PartFailure ? triesUsedUp(partNumber, options.maxTries, error) : error;
    }
  };

  async function attempt(
    { partNumber, start, end }: PartToSend,
    checksum: string,
    attempts: Attempts,
    inSendSlot: InSendSlot,
    { stop, drain }: PartSignals,
  ): Promise<string> {
    attempts.count += 1;
    if (attempts.answerLost) await recovery.lookUp({ partNumber, checksum }, attempts);
    if (attempts.foundEtag !== undefined) return attempts.foundEtag;
    await freshUrl(partNumber, checksum, attempts);
    const body = summedBody(source, start, end);
    const current = { startedAt: options.now(), endedAt: 0, bytes: 0 };
    attempts.current = current;
    const sending = inSendSlot(async (release) => {
      // The part may have waited for its slot, and an interruption lets only finish what is on the wire.
      drain.throwIfAborted();
      await link.whenUp(drain);
      const { url, headers } = await urlOutsidePause(partNumber, checksum, attempts, drain);
      counter.partStarted(partNumber);
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
          counter.sent(partNumber, count);
        },
        // The next part may use the link while this one's answer is on its way.
        onBodySent: release,
      });
      await options.refuseOnlyTls(answer, url);
      return answer;
    });
    const answer = await sending.finally(() => {
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

  /** Keeps the URL that there is, unless a pause may have lasted longer than it counts, or the store has moved. */
  async function freshUrl(partNumber: number, checksum: string, attempts: Attempts): Promise<PresignedPart> {
    if (attempts.pausesBefore !== control.pauses) attempts.signed = undefined;
    if (attempts.signed !== undefined && !urls.isCurrent(attempts.signed)) attempts.signed = undefined;
    attempts.pausesBefore = control.pauses;
    attempts.signed ??= await urls.sign(partNumber, checksum);
    return attempts.signed;
  }

  /** Signs again where another pause began while the URL was signed. */
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

export type SendPart = ReturnType<typeof createPartSender>;

/** The part's bytes, with their checksum computed again on the way. */
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
