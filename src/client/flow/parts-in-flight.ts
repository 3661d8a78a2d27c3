import { createSpeedSample, type SpeedSample } from './speed-sample.ts';

/** Decides how many parts to send at once: by trying, and keeping what pays. Pure: figures in, a number out. */

export const MOST_PARTS_IN_FLIGHT = 16;
/** With two, one part can wait for the store's answer while the other uses the link. */
const FIRST_LIMIT = 2;
/** A step up must bring this share of what it would bring on a link that scales perfectly. */
const WORTHWHILE_SHARE = 0.2;
/** A step down is kept when it costs less than this. */
const HARMLESS_LOSS = 0.04;
/** Where more is at risk than the link moves in this time, fewer parts in flight are worth a try: what breaks is sent again. */
const RISKY_SECONDS = 3;
/** One window alone does not end a step: lossy links stop for a second now and then. */
const FEWEST_WINDOWS_TO_GIVE_UP = 3;
/** Above this share of noise, the gain of one more part cannot be seen: only larger steps are tried then. */
const NOISY = 0.05;
/** Where noise leaves the result open after this many windows, the averages decide. */
const MOST_WINDOWS = 12;
const FIRST_REST_MS = 5_000;
const LONGEST_REST_MS = 60_000;

/** Measurements since the last decision. */
export interface FlightWindow {
  /** Milliseconds on any steady clock, at the end of the window. */
  readonly at: number;
  readonly bytesPerSecond: number;
  /** False where too few parts were there to fill the limit, or where they waited for something else: nothing can be learned then. */
  readonly saturated: boolean;
  readonly partSize: number;
}

interface Trial {
  readonly from: number;
  readonly before: SpeedSample;
  /** False in the first window after a change, which says nothing: new connections fill buffers first. */
  settled: boolean;
}

export interface FlightController {
  readonly limit: number;
  /** Ends a window. Returns the limit for the next one. */
  window(window: FlightWindow): number;
  /** Call when a connection stalled or the link broke. */
  halve(at: number): number;
  /** Forgets what was learned, and begins at once to find out again from the current limit. */
  restart(): void;
}

export function createFlightController(most: number = MOST_PARTS_IN_FLIGHT, first: number = FIRST_LIMIT): FlightController {
  let limit = Math.min(first, most);
  let trial: Trial | undefined;
  /** Doubles while doubling pays, as TCP's slow start does; then goes by ones. */
  let doubling = true;
  let restUntil = 0;
  let restMs = FIRST_REST_MS;
  let triedDown = false;
  /** Speeds with the current limit. */
  let speeds = createSpeedSample();

  function begin(next: number): void {
    trial = { from: limit, before: speeds, settled: false };
    speeds = createSpeedSample();
    limit = next;
  }

  function rest(at: number): void {
    restUntil = at + restMs;
    restMs = Math.min(LONGEST_REST_MS, restMs * 2);
  }

  /** Whether the step pays. Undefined while noise leaves it open. */
  function pays({ from, before }: Trial): boolean | undefined {
    const gain = speeds.mean / before.mean - 1;
    const noise = Math.hypot(speeds.standardError, before.standardError) / before.mean;
    const worthwhile = limit > from ? WORTHWHILE_SHARE * (limit / from - 1) : -HARMLESS_LOSS;
    if (gain - noise >= worthwhile) return true;
    if (speeds.count >= FEWEST_WINDOWS_TO_GIVE_UP && gain + noise < worthwhile) return false;
    return speeds.count < MOST_WINDOWS ? undefined : gain >= worthwhile;
  }

  function judge(current: Trial, at: number): void {
    const verdict = pays(current);
    if (verdict === undefined) return;
    trial = undefined;
    const wentUp = limit > current.from;
    if (verdict) {
      // The next step begins at once: rests are for limits that proved right.
      restMs = FIRST_REST_MS;
      triedDown = !wentUp && limit === 1;
      return;
    }
    limit = current.from;
    speeds = current.before;
    triedDown = !wentUp;
    doubling = false;
    rest(at);
  }

  function nextTrial({ at, partSize }: FlightWindow): void {
    if (at < restUntil || speeds.mean === 0) return;
    const secondsAtRisk = (limit * partSize) / speeds.mean;
    if (secondsAtRisk > RISKY_SECONDS && limit > 1 && !triedDown) {
      begin(limit - 1);
      return;
    }
    triedDown = false;
    const next = Math.min(most, doubling || speeds.standardError > NOISY * speeds.mean ? limit * 2 : limit + 1);
    if (next > limit) begin(next);
  }

  return {
    get limit() {
      return limit;
    },
    window(window) {
      if (!window.saturated) return limit;
      if (trial !== undefined && !trial.settled) {
        trial.settled = true;
        return limit;
      }
      speeds.add(window.bytesPerSecond);
      if (trial === undefined) nextTrial(window);
      else judge(trial, window.at);
      return limit;
    },
    halve(at) {
      trial = undefined;
      doubling = false;
      speeds = createSpeedSample();
      limit = Math.max(1, Math.floor(limit / 2));
      rest(at);
      return limit;
    },
    restart() {
      trial = undefined;
      speeds = createSpeedSample();
      doubling = true;
      triedDown = false;
      restUntil = 0;
      restMs = FIRST_REST_MS;
    },
  };
}
