import type { Link } from './link.ts';

/** Without a byte for this long, a connection is suspected, and the other end is asked over another one. */
const QUIET_MS = 3_000;
/** A gap between bytes this many times as long as usual is more than slowness. */
const UNUSUAL_GAPS = 6;
/** Longer still, and TCP's own next retransmission may be as far away again (RFC 6298 doubles its timer): not worth waiting for. */
const HOPELESS_MS = 8_000;
/** After the link has answered, a younger connection gets this long to show that it lives. */
const GRACE_MS = 1_500;
/** A store that has the whole part may take this long to write it down. */
const ANSWER_MS = 20_000;
const TICK_MS = 500;
/** A timer that is late by so much was not merely busy: the machine slept. */
const SLEPT_MS = 10_000;

/** What the request of a part tells about itself, and the way to end it. */
export interface PartVitals {
  /** Milliseconds on the monitor's clock. */
  lastMovedAt: number;
  /** Usual time between two moves, smoothed. */
  gapMs: number;
  /** The last byte was handed over: the store's answer is awaited, after so much draining of the kernel's buffer. */
  answerExpectedAt: number | undefined;
  /** Held back on purpose (a rate limit): its silence says nothing. */
  held: boolean;
  cut(reason: string): void;
}

export type Judgement = 'alive' | 'suspect' | 'dead';

/** What to make of one connection. `outageMs` is undefined until the other end has answered over another connection. */
export function judgeVitals(vitals: PartVitals, now: number, patience: number, outageMs: number | undefined): Judgement {
  if (vitals.held) return 'alive';
  const quietMs = now - vitals.lastMovedAt;
  if (vitals.answerExpectedAt !== undefined) {
    const overdueMs = now - vitals.answerExpectedAt;
    if (overdueMs < QUIET_MS) return 'alive';
    if (outageMs === undefined) return 'suspect';
    return outageMs > 0 || overdueMs > ANSWER_MS * patience ? 'dead' : 'alive';
  }
  if (quietMs < Math.max(QUIET_MS, vitals.gapMs * UNUSUAL_GAPS) * patience) return 'alive';
  return outageMs === undefined ? 'suspect' : 'dead';
}

export interface LivenessOptions {
  readonly link: Link;
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** Connections were cut, or the link was down: less at once now. */
  readonly onTrouble: () => void;
  readonly tickMs?: number;
}

/**
 * Watches the connections of all parts. A dead one is replaced within seconds of the network's return instead of when TCP's
 * own timer, doubled again and again, comes round; a living one is left alone, for what it has sent would have to go again.
 */
export function startLiveness({ link, now, signal, onTrouble, tickMs = TICK_MS }: LivenessOptions) {
  const watched = new Set<PartVitals>();
  let checking = false;
  /** Grows with each connection that was cut although the link answered: on some links a long silence is normal. */
  let patience = 1;
  let lastTick = now();

  async function check(reason: string, sleptMs = 0): Promise<void> {
    checking = true;
    try {
      const askedAt = now();
      const { outageMs } = await link.recover(reason, signal);
      if (outageMs > 0 || sleptMs > 0) onTrouble();
      await endTheDead(askedAt, Math.max(outageMs, sleptMs));
    } catch {
      // The run has ended, or the outage was too long: whoever waits for the link hears the reason.
    } finally {
      checking = false;
    }
  }

  async function endTheDead(askedAt: number, outageMs: number): Promise<void> {
    const still = () => [...watched].filter((vitals) => vitals.lastMovedAt <= askedAt && judge(vitals, outageMs) === 'dead');
    const hopeless = still().filter((vitals) => now() - vitals.lastMovedAt > HOPELESS_MS);
    cut(hopeless, outageMs);
    if (still().length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, GRACE_MS));
    cut(still(), outageMs);
  }

  function judge(vitals: PartVitals, outageMs: number | undefined): Judgement {
    return judgeVitals(vitals, now(), patience, outageMs);
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

  const timer = setInterval(() => {
    const lateMs = now() - lastTick - tickMs;
    lastTick = now();
    if (checking) return;
    if (lateMs > SLEPT_MS) void check('the machine slept', lateMs);
    else if ([...watched].some((vitals) => judge(vitals, undefined) === 'suspect')) void check('nothing moves');
  }, tickMs);

  return {
    watch(vitals: PartVitals): () => void {
      watched.add(vitals);
      return () => watched.delete(vitals);
    },
    /** A part got through: silence like the one before was not normal. */
    partStored(): void {
      patience = Math.max(1, patience / 2);
    },
    stop: () => clearInterval(timer),
  };
}
export type Liveness = ReturnType<typeof startLiveness>;
