/** How many parts to send at once: found by trying, and kept only if it pays. A pure decision: figures in, a number out. */

export const MOST_PARTS_IN_FLIGHT = 16;
/** Two, so that one can wait for the store's answer while the other uses the link. */
const FIRST_LIMIT = 2;
/** A step up must bring this share of what it would bring on a link that scales perfectly. */
const WORTHWHILE_SHARE = 0.2;
/** A step down is kept when it costs less than this. */
const HARMLESS_LOSS = 0.04;
/** More at risk than the link moves in this time, and fewer parts in flight are worth a try: what breaks is sent again. */
const RISKY_SECONDS = 3;
const FIRST_REST_MS = 5_000;
const LONGEST_REST_MS = 60_000;

/** What happened since the last decision. */
export interface FlightWindow {
  /** Milliseconds on any steady clock, at the end of the window. */
  readonly at: number;
  readonly bytesPerSecond: number;
  /** False where parts were too few to fill the limit, or waited for something else: nothing can be learned then. */
  readonly saturated: boolean;
  readonly partSize: number;
}

interface Trial {
  readonly from: number;
  readonly bytesPerSecondBefore: number;
  /** New connections fill buffers first; the first window after a change says nothing. */
  settled: boolean;
}

export interface FlightController {
  readonly limit: number;
  /** Ends a window. Returns the limit for the next one. */
  window(window: FlightWindow): number;
  /** A connection stalled or the link broke. */
  halve(at: number): number;
}

export function createFlightController(most: number = MOST_PARTS_IN_FLIGHT, first: number = FIRST_LIMIT): FlightController {
  let limit = Math.min(first, most);
  let trial: Trial | undefined;
  /** Doubles while doubling pays, as TCP's slow start does; then goes by ones. */
  let doubling = true;
  let restUntil = 0;
  let restMs = FIRST_REST_MS;
  let triedDown = false;

  function begin(next: number, bytesPerSecond: number): void {
    trial = { from: limit, bytesPerSecondBefore: bytesPerSecond, settled: false };
    limit = next;
  }

  function rest(at: number): void {
    restUntil = at + restMs;
    restMs = Math.min(LONGEST_REST_MS, restMs * 2);
  }

  function judge(current: Trial, window: FlightWindow): void {
    trial = undefined;
    const gain = window.bytesPerSecond / current.bytesPerSecondBefore - 1;
    const wentUp = limit > current.from;
    const pays = wentUp ? gain >= WORTHWHILE_SHARE * (limit / current.from - 1) : gain >= -HARMLESS_LOSS;
    if (pays) {
      // Onwards at once: rests are for limits that proved right.
      restMs = FIRST_REST_MS;
      triedDown = !wentUp && limit === 1;
      return;
    }
    limit = current.from;
    triedDown = !wentUp;
    doubling = false;
    rest(window.at);
  }

  function nextTrial({ at, bytesPerSecond, partSize }: FlightWindow): void {
    if (at < restUntil || bytesPerSecond === 0) return;
    const secondsAtRisk = (limit * partSize) / bytesPerSecond;
    if (secondsAtRisk > RISKY_SECONDS && limit > 1 && !triedDown) {
      begin(limit - 1, bytesPerSecond);
      return;
    }
    triedDown = false;
    const next = Math.min(most, doubling ? limit * 2 : limit + 1);
    if (next > limit) begin(next, bytesPerSecond);
  }

  return {
    get limit() {
      return limit;
    },
    window(window) {
      if (!window.saturated) return limit;
      if (trial === undefined) nextTrial(window);
      else if (trial.settled) judge(trial, window);
      else trial.settled = true;
      return limit;
    },
    halve(at) {
      trial = undefined;
      doubling = false;
      limit = Math.max(1, Math.floor(limit / 2));
      rest(at);
      return limit;
    },
  };
}
