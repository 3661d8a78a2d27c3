import type { Link } from './link.ts';
import { createServiceRate } from './service-rate.ts';

/** A connection without a byte for this long is suspected, and the other end is asked over another one. */
const QUIET_MS = 3_000;
/** How long a silence may be normal while the link's speed is unknown. */
const QUIET_AT_FIRST_MS = 20_000;
/** A kernel asks for more only when a third of its buffer is free: on a slow link its silence lasts as long as this needs. */
const KERNEL_GULP_BYTES = 2 * 1024 * 1024;
/** A gap between bytes this many times as long as usual is more than slowness. */
const UNUSUAL_GAPS = 6;
/** After a longer silence, TCP's next retransmission may be as far away again (RFC 6298 doubles its timer): not worth waiting for. */
const HOPELESS_MS = 8_000;
/** After the link has answered, a younger connection gets this long to show that it lives. */
const GRACE_MS = 1_500;
/** Other traffic may make a part this many times slower. */
const QUEUE_MARGIN = 2;
/** A store that has the whole part may take this long to write it down. */
const ANSWER_MS = 20_000;
/** Waiting for buffers to drain is normal; after this long, it is worth asking whether the other end is there. */
const LONG_WAIT_MS = 30_000;
/** Full buffers on the way can hold up a probe for seconds: only a longer outage shows that their contents are lost. */
const CERTAIN_OUTAGE_MS = 10_000;
const TICK_MS = 500;
/** Time until the next look after one that found nothing wrong. */
const LOOK_AGAIN_MS = 5_000;
/** If so much more time has passed than the process was awake, the host slept or the process was stopped: a busy host loses less. */
const SLEPT_MS = 10_000;

/** The signs of life of a part's request, and the way to end it. */
export interface PartVitals {
  /** Milliseconds on the awake clock that liveness uses. A sleep moves it back by the length of the sleep. */
  lastMovedAt: number;
  /** Bytes that the socket took so far. */
  bytesTaken: number;
  /** Usual time between two moves, smoothed. */
  gapMs: number;
  /** Set when the last byte was handed over: then buffers drain, and the store answers. */
  waiting: WaitingForAnswer | undefined;
  /** True while a rate limit holds the request back: its silence says nothing. */
  held: boolean;
  cut(reason: string): void;
}

export interface WaitingForAnswer {
  /** Time that the kernel may need for its buffer, at the speed that the socket had. */
  readonly kernelMs: number;
  /** Bytes handed over and unanswered in all connections together, including this one: they share the way. */
  readonly queuedBytes: number;
}

export type Judgement = 'alive' | 'suspect' | 'dead';

/** The facts outside of a connection that its judgement needs. */
export interface Circumstances {
  readonly now: number;
  /** 1 or more: how many times as long as usual a silence may be. */
  readonly patience: number;
  /** Longest silence of a socket that is normal at the link's speed. */
  readonly quietMs: number;
  /** When the answer to a part that was handed over whole is due. */
  readonly answerDueAt: number;
  /** Undefined until the other end has answered over another connection. */
  readonly outageMs: number | undefined;
}

/** Judges one connection. */
export function judgeVitals(vitals: PartVitals, circumstances: Circumstances): Judgement {
  const { now, patience, outageMs } = circumstances;
  if (vitals.held) return 'alive';
  const quietMs = now - vitals.lastMovedAt;
  if (vitals.waiting !== undefined) return judgeWaiting(quietMs, circumstances);
  if (quietMs < QUIET_MS) return 'alive';
  if (outageMs === undefined) return 'suspect';
  const isNormal = quietMs < Math.max(circumstances.quietMs, vitals.gapMs * UNUSUAL_GAPS) * patience;
  if (!isNormal) return 'dead';
  return outageMs > CERTAIN_OUTAGE_MS ? 'dead' : 'alive';
}

/** Judges a connection whose bytes are all handed over: buffers drain or the store writes, and neither is visible. */
function judgeWaiting(quietMs: number, { now, patience, answerDueAt, outageMs }: Circumstances): Judgement {
  const overdueMs = now - answerDueAt;
  const isOverdue = overdueMs >= QUIET_MS;
  if (outageMs === undefined) return isOverdue || quietMs >= LONG_WAIT_MS ? 'suspect' : 'alive';
  if (overdueMs > ANSWER_MS * patience) return 'dead';
  return outageMs > (isOverdue ? 0 : CERTAIN_OUTAGE_MS) ? 'dead' : 'alive';
}

export interface LivenessWatch {
  /** Bytes that sockets took and the store has not acknowledged, over all connections. */
  unansweredBytes(): number;
  /** When the answer to a part that was handed over whole is due, as far as is known now. */
  answerDueAt(): number;
  stop(): void;
}

export interface LivenessOptions {
  readonly link: Link;
  /** An awake clock: neither a sleep nor a step of the wall clock says anything about the speed of the link. */
  readonly now: () => number;
  /** A clock that goes on during sleep and has no steps: by how much it is ahead of `now` was slept. */
  readonly elapsed: () => number;
  readonly signal: AbortSignal;
  /** Called when connections were cut or the link was down: less should be sent at once now. */
  readonly onTrouble: () => void;
  readonly tickMs?: number;
}

/**
 * Watches the connections of all parts. A dead one is replaced within seconds of the network's return instead of when TCP's
 * own timer, doubled again and again, comes round; a living one is left alone, because its bytes would have to be sent again.
 */
export function startLiveness({ link, now, elapsed, signal, onTrouble, tickMs = TICK_MS }: LivenessOptions) {
  const watched = new Set<PartVitals>();
  const serviceRate = createServiceRate();
  let checking = false;
  let lookAgainAt = Number.NEGATIVE_INFINITY;
  /** Grows with each connection that was cut although the link answered: on some links a long silence is normal. */
  let patience = 1;
  let sleptBefore = elapsed() - now();

  async function check(reason: string, sleptMs = 0): Promise<void> {
    checking = true;
    try {
      const askedAt = now();
      const { outageMs } = await link.recover(reason, signal);
      if (outageMs > 0 || sleptMs > 0) onTrouble();
      await endTheDead(askedAt, Math.max(outageMs, sleptMs));
    } catch {
      // The run has ended, or the outage was too long: the parts that wait for the link get the reason.
    } finally {
      checking = false;
      lookAgainAt = now() + LOOK_AGAIN_MS;
    }
  }

  async function endTheDead(askedAt: number, outageMs: number): Promise<void> {
    // A connection that moved since the question is alive, unless there was an outage meanwhile: then the last moments before its end count.
    const movedSince = (vitals: PartVitals) => outageMs === 0 && vitals.lastMovedAt > askedAt;
    const still = () => [...watched].filter((vitals) => !movedSince(vitals) && judge(vitals, outageMs) === 'dead');
    const hopeless = still().filter((vitals) => now() - vitals.lastMovedAt > HOPELESS_MS);
    cut(hopeless, outageMs);
    if (still().length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
    cut(still(), outageMs);
  }

  function judge(vitals: PartVitals, outageMs: number | undefined): Judgement {
    return judgeVitals(vitals, { now: now(), patience, quietMs: normalQuietMs(), answerDueAt: answerDueAt(vitals), outageMs });
  }

  function normalQuietMs(): number {
    if (!serviceRate.isKnown) return QUIET_AT_FIRST_MS;
    return Math.max(QUIET_MS, serviceRate.timeFor(KERNEL_GULP_BYTES * watched.size));
  }

  function answerDueAt({ lastMovedAt, waiting }: PartVitals): number {
    if (waiting === undefined) return Number.POSITIVE_INFINITY;
    return lastMovedAt + Math.max(waiting.kernelMs, serviceRate.timeFor(waiting.queuedBytes) * QUEUE_MARGIN);
  }

  function unansweredBytes(): number {
    let sum = 0;
    for (const { bytesTaken } of watched) sum += bytesTaken;
    return sum;
  }

  function cut(dead: readonly PartVitals[], outageMs: number): void {
    for (const vitals of dead) {
      watched.delete(vitals);
      vitals.cut(`nothing moved for ${Math.round((now() - vitals.lastMovedAt) / 1_000)} s`);
    }
    if (dead.length === 0 || outageMs > 0) return;
    patience = Math.min(8, patience * 2);
    onTrouble();
  }

  /** The connections were as still as the host, and the other end may have given them up. */
  function wokeUp(sleptMs: number): void {
    for (const vitals of watched) vitals.lastMovedAt -= sleptMs;
    if (!checking) void check('the machine slept', sleptMs);
  }

  const timer = setInterval(() => {
    const slept = elapsed() - now();
    const sleptMs = slept - sleptBefore;
    sleptBefore = slept;
    if (sleptMs > SLEPT_MS) wokeUp(sleptMs);
    else if (!checking && now() >= lookAgainAt && [...watched].some((vitals) => judge(vitals, undefined) === 'suspect'))
      void check('nothing moves');
  }, tickMs);

  return {
    watch(vitals: PartVitals): LivenessWatch {
      watched.add(vitals);
      return { unansweredBytes, answerDueAt: () => answerDueAt(vitals), stop: () => watched.delete(vitals) };
    },
    /** Records that a part, begun at `startedAt`, got through: long silences are not normal here. */
    partStored(bytes: number, startedAt: number): void {
      serviceRate.answered(bytes, startedAt, now());
      patience = Math.max(1, patience / 2);
    },
    stop: () => clearInterval(timer),
  };
}
export type Liveness = ReturnType<typeof startLiveness>;
