import type { ObjectStore } from '../../object-store/port.ts';
import type { Log } from '../core/deps.ts';
import { createClientClocks } from './client-clocks.ts';
import { type ClockLook, type Doubt, holdRules, observe, startHold } from './expiry-hold.ts';

const LOOK_EVERY_MS = 60_000;

export interface ClockNews extends ClockLook {
  /** Undefined where things may expire. */
  readonly doubt: Doubt | undefined;
  readonly isStep: boolean;
}

export interface ExpiryClockDeps {
  readonly objects: Pick<ObjectStore, 'readClock'>;
  readonly now: () => number;
  /** Milliseconds of a clock that cannot be set. */
  readonly monotonic: () => number;
  readonly holdMs: number;
  readonly log: Log;
  /** Told of each look. */
  readonly tell: (news: ClockNews) => void;
}

/** Whether the clock can be believed so far that things may be ended by it for good: sessions with their parts, capabilities, events. */
export interface ExpiryClock {
  /** Looks at all clocks now. */
  mayExpire(): Promise<boolean>;
  /** By the last look; false before the first. */
  mayForget(): boolean;
  /** A client that was let in said what time it has. */
  hear(token: string, date: string | undefined): void;
  stop(): void;
}

/** Looks at the clocks once a minute, and whenever it is asked. */
export function createExpiryClock({ objects, now, monotonic, holdMs, log, tell }: ExpiryClockDeps): ExpiryClock {
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
    tell({ ...seen, ...verdict });
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
    if (doubt === undefined) log.info(facts, 'sessions expire when their time has come');
    else if (doubt === 'started') log.info({ reason: doubt, ...facts }, MEANINGS[doubt]);
    else log.warn({ reason: doubt, ...facts }, MEANINGS[doubt]);
  }

  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  timer.unref();
  return {
    mayExpire: look,
    mayForget: () => known !== undefined && known.doubt === undefined,
    hear: clients.hear,
    stop: () => clearInterval(timer),
  };
}

function inSeconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms / 1_000);
}

const NOTHING_EXPIRES =
  'Nothing expires until the clock has been steady and agreed with for the hold time (PARTWAY_EXPIRY_HOLD).';

const MEANINGS: Readonly<Record<Doubt, string>> = {
  started: `the server has just started. ${NOTHING_EXPIRES}`,
  stepped: `the clock of this machine was set, or the machine slept. ${NOTHING_EXPIRES}`,
  paused: `the server stood still for a while. ${NOTHING_EXPIRES}`,
  'store-differs': `the clock of this machine and that of the object store differ: set the wrong one right. ${NOTHING_EXPIRES}`,
  'clients-differ': `the clocks of most clients differ from that of this machine: is it right? ${NOTHING_EXPIRES}`,
  'store-unknown': 'the object store does not say what time it is. Nothing expires until it answers.',
};
