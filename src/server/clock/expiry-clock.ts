import type { ObjectStore } from '../../object-store/port.ts';
import type { Log } from '../core/deps.ts';
import { createClientClocks } from './client-clocks.ts';
import { type ClockLook, type Doubt, holdRules, observe, startHold } from './expiry-hold.ts';

const LOOK_EVERY_MS = 60_000;

/** The clocks as one look found them, and the verdict. */
export interface ClockReport extends ClockLook {
  /** Undefined where things may expire. */
  readonly doubt: Doubt | undefined;
  readonly isStep: boolean;
}

export interface ExpiryClockDeps {
  readonly objects: Pick<ObjectStore, 'readClock'>;
  readonly now: () => number;
  /** Returns the milliseconds of a clock that cannot be set. */
  readonly monotonic: () => number;
  readonly holdMs: number;
  readonly log: Log;
  /** Called after each look. */
  readonly onLook: (report: ClockReport) => void;
}

/** Says whether the server's clock can be trusted enough to end things for good: sessions with their parts, capabilities, events. */
export interface ExpiryClock {
  /** Compares all clocks now. */
  mayExpire(): Promise<boolean>;
  /** Answers by the last look; false before the first. */
  mayDelete(): boolean;
  /** Records the time that an authenticated client sent. */
  hear(token: string, date: string | undefined): void;
  stop(): void;
}

/** Compares the clocks once a minute, and whenever `mayExpire` is called. */
export function createExpiryClock({ objects, now, monotonic, holdMs, log, onLook }: ExpiryClockDeps): ExpiryClock {
  const rules = holdRules(holdMs);
  const clients = createClientClocks(monotonic);
  let state = startHold({ wallMs: now(), monotonicMs: monotonic() });
  let known: { readonly doubt: Doubt | undefined } | undefined;

  async function look(): Promise<boolean> {
    const storeOffsetMs = await askStore();
    const wallMs = now();
    const monotonicMs = monotonic();
    const seen = { wallMs, monotonicMs, storeOffsetMs, clientsOffsetMs: clients.offsetMs(wallMs, monotonicMs) };
    const { state: next, verdict } = observe(state, seen, rules);
    state = next;
    if (known === undefined || known.doubt !== verdict.doubt || verdict.isStep) logChange(verdict.doubt, seen);
    known = verdict;
    onLook({ ...seen, ...verdict });
    return verdict.doubt === undefined;
  }

  async function askStore(): Promise<number | undefined> {
    try {
      return await objects.readClock();
    } catch (error) {
      log.warn({ err: error }, "the object store's clock could not be read");
      return undefined;
    }
  }

  function logChange(doubt: Doubt | undefined, { storeOffsetMs, clientsOffsetMs }: ClockLook): void {
    const facts = {
      holdSeconds: holdMs / 1_000,
      storeOffsetSeconds: inSeconds(storeOffsetMs),
      clientsOffsetSeconds: inSeconds(clientsOffsetMs),
    };
    if (doubt === undefined) log.info(facts, 'sessions expire again when they are due');
    else if (doubt === 'started') log.info({ reason: doubt, ...facts }, MEANINGS[doubt]);
    else log.warn({ reason: doubt, ...facts }, MEANINGS[doubt]);
  }

  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  timer.unref();
  return {
    mayExpire: look,
    mayDelete: () => known !== undefined && known.doubt === undefined,
    hear: clients.hear,
    stop: () => clearInterval(timer),
  };
}

function inSeconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms / 1_000);
}

const NOTHING_EXPIRES =
  'Nothing expires until the clock has been steady, and other clocks have agreed with it, for the hold time (PARTWAY_EXPIRY_HOLD).';

const MEANINGS: Readonly<Record<Doubt, string>> = {
  started: `the server has just started. ${NOTHING_EXPIRES}`,
  stepped: `the clock of this host was set, or the host slept. ${NOTHING_EXPIRES}`,
  paused: `the server process stood still for a while. ${NOTHING_EXPIRES}`,
  'store-differs': `the clock of this host and that of the object store differ: correct the wrong one. ${NOTHING_EXPIRES}`,
  'clients-differ': `the clocks of most clients differ from that of this host: check it. ${NOTHING_EXPIRES}`,
  'store-unknown': 'the object store does not say what time it is. Nothing expires until it answers.',
};
