import pLimit from 'p-limit';
import { createFlightController, type FlightController } from './parts-in-flight.ts';

/** Parts that are read, signed or waiting for their answer while others use the link: the wire is never idle for them. */
const AHEAD = 2;
/** Bodies that were handed over whole and wait for their answer, beside those that are being sent. */
const UNANSWERED_MORE = 1;
/** A window is judged when enough was sent to tell a trend from noise … */
const WINDOW_BYTES_PER_LANE = 1024 * 1024;
const SHORTEST_WINDOW_MS = 400;
/** … or when the link is so slow that waiting for it would take too long. */
const LONGEST_WINDOW_MS = 20_000;

/** Parts are prepared side by side and still take their places in order: what is stored is then a beginning of the file. */
export interface Turn {
  /** Resolves when the part before has queued for its place, or has ended without. */
  readonly mine: Promise<void>;
  pass(): void;
}

export interface LanesOptions {
  readonly partSize: number;
  /** Most bodies on the wire at once; exactly so many where `fixed`. */
  readonly most: number;
  readonly fixed: boolean;
  /** Bytes handed to sockets so far. */
  readonly bytesSent: () => number;
  readonly now: () => number;
}

/**
 * The places for bodies on the wire, as many as pay. A part is *in hand* from when it is read until its answer is there, and
 * *in place* only while its body is sent.
 */
export function createLanes({ partSize, most, fixed, bytesSent, now }: LanesOptions) {
  const controller: FlightController = createFlightController(most, fixed ? most : undefined);
  const places = pLimit(controller.limit);
  /** Bodies that were handed over may wait in buffers that nobody sees: one more than is sent keeps the wire busy, many are only at risk. */
  const unanswered = pLimit(mostUnanswered(controller.limit));
  const hands = pLimit(controller.limit + AHEAD);
  let isNarrow = fixed;
  let lastTurn: Promise<void> = Promise.resolve();
  let window = { startedAt: now(), bytesBefore: bytesSent(), saturated: true };

  /** A limit that somebody asked for counts all parts that are at risk. */
  function mostUnanswered(limit: number): number {
    return fixed ? limit + UNANSWERED_MORE : Math.min(most, limit + UNANSWERED_MORE);
  }

  function setLimit(limit: number): void {
    places.concurrency = limit;
    unanswered.concurrency = mostUnanswered(limit);
    hands.concurrency = limit + AHEAD;
  }

  return {
    inHand<Result>(work: (turn: Turn) => Promise<Result>): Promise<Result> {
      const mine = lastTurn;
      let pass = () => {};
      lastTurn = new Promise((resolve) => {
        pass = resolve;
      });
      return hands(() => work({ mine, pass }).finally(pass));
    },
    /** Runs `work` in a free place, until it gives the place back or ends. */
    inPlace<Result>(work: (release: () => void) => Promise<Result>): Promise<Result> {
      return unanswered(
        () =>
          new Promise<Result>((resolve, reject) => {
            void places(
              () =>
                new Promise<void>((release) => {
                  // Deferred: what `work` throws at once is a rejection, too.
                  Promise.resolve()
                    .then(() => work(release))
                    .then(resolve, reject)
                    .finally(release);
                }),
            );
          }),
      );
    },
    /** Call a few times a second: ends a window when it has something to say. */
    tick(): void {
      if (isNarrow) return;
      window.saturated &&= hands.pendingCount > 0;
      const at = now();
      const elapsedMs = at - window.startedAt;
      const bytes = bytesSent() - window.bytesBefore;
      const isTelling = elapsedMs >= SHORTEST_WINDOW_MS && bytes >= controller.limit * WINDOW_BYTES_PER_LANE;
      if (!isTelling && elapsedMs < LONGEST_WINDOW_MS) return;
      setLimit(controller.window({ at, bytesPerSecond: (bytes * 1_000) / elapsedMs, saturated: window.saturated, partSize }));
      window = { startedAt: at, bytesBefore: bytesSent(), saturated: true };
    },
    /** A connection stalled or the link broke: less at once, so that less is lost when it breaks again. */
    trouble(): void {
      if (isNarrow) return;
      const at = now();
      setLimit(controller.halve(at));
      window = { startedAt: at, bytesBefore: bytesSent(), saturated: true };
    },
    /** From now on one body at a time: side by side, each takes longer. False where that is so already, or was asked for. */
    narrow(): boolean {
      if (isNarrow) return false;
      isNarrow = true;
      setLimit(1);
      return true;
    },
    /** After a pause or a change of the limit: what was measured before is of another upload, and so is the first window now. */
    restart(): void {
      if (isNarrow) return;
      controller.restart();
      window = { startedAt: now(), bytesBefore: bytesSent(), saturated: false };
    },
  };
}
export type Lanes = ReturnType<typeof createLanes>;
