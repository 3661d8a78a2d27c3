/** Reasons why nothing expires for now. */
export const DOUBTS = [
  /** The process started a short while ago: sessions that fell due while no server ran are spared, and a wrong clock has time to show. */
  'started',
  /** The wall clock moved against the monotonic one: it was set, or the host slept. */
  'stepped',
  /** The process itself stood still. */
  'paused',
  'store-differs',
  'clients-differ',
  /** The object store does not answer, so nothing can be compared with its clock. */
  'store-unknown',
] as const;
export type Doubt = (typeof DOUBTS)[number];

export interface HoldRules {
  /** How long the clock must be steady, and the other clocks must agree with it. */
  readonly holdMs: number;
  readonly stepMs: number;
  /** Time between two looks that counts as a pause of the process. */
  readonly pauseMs: number;
  readonly storeDiffersMs: number;
  readonly clientsDifferMs: number;
  /** Clients are not trusted, so their clocks alone hold nothing for longer. */
  readonly clientsAloneMs: number;
}

const MINUTE_MS = 60_000;

export function holdRules(holdMs: number): HoldRules {
  return {
    holdMs,
    // In the days between two steps NTP slews by less, and a wrong clock is wrong by far more.
    stepMs: MINUTE_MS,
    pauseMs: 10 * MINUTE_MS,
    storeDiffersMs: 5 * MINUTE_MS,
    // Many clients have a clock that was set by hand.
    clientsDifferMs: 15 * MINUTE_MS,
    clientsAloneMs: 24 * 60 * MINUTE_MS,
  };
}

/** The clocks at one moment. */
export interface ClockLook {
  readonly wallMs: number;
  readonly monotonicMs: number;
  /** The store's clock minus ours; undefined where it does not answer. */
  readonly storeOffsetMs: number | undefined;
  /** Most clients' clocks minus ours; undefined if no client has sent a date lately. */
  readonly clientsOffsetMs: number | undefined;
}

export interface HoldState {
  /** Both clocks when the clock was last doubted. */
  readonly steadySince: Pick<ClockLook, 'wallMs' | 'monotonicMs'>;
  readonly lastLookMs: number;
  /** The reason of that doubt. */
  readonly doubt: Exclude<Doubt, 'store-unknown'>;
  /** Since when (by the monotonic clock) clients alone have kept something from expiring. */
  readonly clientsHoldSinceMs: number | undefined;
}

export interface Verdict {
  /** Undefined where things may expire. */
  readonly doubt: Doubt | undefined;
  /** Whether this look shows a step or a pause. */
  readonly isStep: boolean;
}

export function startHold({ wallMs, monotonicMs }: Pick<ClockLook, 'wallMs' | 'monotonicMs'>): HoldState {
  return {
    steadySince: { wallMs, monotonicMs },
    lastLookMs: monotonicMs,
    doubt: 'started',
    clientsHoldSinceMs: undefined,
  };
}

/**
 * Decides after each look whether things may expire. Any doubt starts the steady time again. Clients can only hold expiry, never allow it,
 * and a hold by clients alone ends after a day; another begins only after things could expire again. A client that sends wrong dates
 * can therefore delay expiry, but can neither end anything nor keep it for ever.
 */
export function observe(state: HoldState, look: ClockLook, rules: HoldRules): { state: HoldState; verdict: Verdict } {
  const lastLookMs = look.monotonicMs;
  const shown = doubtShownBy(state, look, rules);
  if (shown !== undefined) {
    const clientsHoldSinceMs = shown === 'clients-differ' ? (state.clientsHoldSinceMs ?? lastLookMs) : undefined;
    const steadySince = { wallMs: look.wallMs, monotonicMs: look.monotonicMs };
    const isStep = shown === 'stepped' || shown === 'paused';
    const isOver = isStep && rules.holdMs === 0;
    return {
      state: { steadySince, lastLookMs, doubt: shown, clientsHoldSinceMs },
      verdict: { doubt: isOver ? unknownStore(look) : shown, isStep },
    };
  }
  const isSteady = lastLookMs - state.steadySince.monotonicMs >= rules.holdMs;
  const doubt = isSteady ? unknownStore(look) : state.doubt;
  // Whatever was due can expire now. Only from here on may clients hold again.
  const clientsHoldSinceMs = doubt === undefined ? undefined : state.clientsHoldSinceMs;
  return { state: { ...state, lastLookMs, clientsHoldSinceMs }, verdict: { doubt, isStep: false } };
}

function unknownStore({ storeOffsetMs }: ClockLook): 'store-unknown' | undefined {
  return storeOffsetMs === undefined ? 'store-unknown' : undefined;
}

function doubtShownBy(state: HoldState, look: ClockLook, rules: HoldRules): HoldState['doubt'] | undefined {
  const { steadySince, lastLookMs, clientsHoldSinceMs } = state;
  const { wallMs, monotonicMs, storeOffsetMs = 0, clientsOffsetMs = 0 } = look;
  if (Math.abs(wallMs - steadySince.wallMs - (monotonicMs - steadySince.monotonicMs)) > rules.stepMs) return 'stepped';
  if (monotonicMs - lastLookMs > rules.pauseMs) return 'paused';
  if (Math.abs(storeOffsetMs) > rules.storeDiffersMs) return 'store-differs';
  const clientsCount = clientsHoldSinceMs === undefined || monotonicMs - clientsHoldSinceMs < rules.clientsAloneMs;
  return clientsCount && Math.abs(clientsOffsetMs) > rules.clientsDifferMs ? 'clients-differ' : undefined;
}
