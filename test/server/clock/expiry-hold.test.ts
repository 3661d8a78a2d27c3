import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClockLook,
  type Doubt,
  type HoldState,
  holdRules,
  observe,
  startHold,
} from '../../../src/server/clock/expiry-hold.ts';
import { NOON } from '../../support/database/sessions.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const RULES = holdRules(HOUR);

/** A process whose clocks the test moves. */
class Clocks {
  wallMs = NOON;
  monotonicMs = 5_000;
  storeOffsetMs: number | undefined = 0;
  clientsOffsetMs: number | undefined = undefined;
  #state: HoldState = startHold(this);

  look(): Doubt | undefined {
    const { wallMs, monotonicMs, storeOffsetMs, clientsOffsetMs } = this;
    const seen: ClockLook = { wallMs, monotonicMs, storeOffsetMs, clientsOffsetMs };
    const { state, verdict } = observe(this.#state, seen, RULES);
    this.#state = state;
    return verdict.doubt;
  }

  /** Lets time pass on both clocks, with a look each minute, and returns the verdict of the last one. */
  run(ms: number): Doubt | undefined {
    let doubt: Doubt | undefined;
    for (let passed = 0; passed < ms; passed += MINUTE) {
      this.wallMs += MINUTE;
      this.monotonicMs += MINUTE;
      doubt = this.look();
    }
    return doubt;
  }

  /** Sets the wall clock. */
  step(ms: number): void {
    this.wallMs += ms;
  }
}

function steadyClocks(): Clocks {
  const clocks = new Clocks();
  if (clocks.run(HOUR) !== undefined) throw new Error('an hour was not enough');
  return clocks;
}

describe('after a start', () => {
  it('nothing expires for the hold time, then it may', () => {
    const clocks = new Clocks();
    expect(clocks.look()).toBe('started');
    expect(clocks.run(HOUR - MINUTE)).toBe('started');
    expect(clocks.run(MINUTE)).toBeUndefined();
  });

  it('with a hold time of 0, things expire at once while the clocks agree, and not while they differ', () => {
    const state = startHold({ wallMs: NOON, monotonicMs: 0 });
    const look = { wallMs: NOON, monotonicMs: 0, storeOffsetMs: 0, clientsOffsetMs: undefined };
    const at = (change: Partial<ClockLook>) => observe(state, { ...look, ...change }, holdRules(0)).verdict.doubt;
    expect(at({})).toBeUndefined();
    expect(at({ wallMs: NOON + DAY })).toBeUndefined();
    expect(at({ storeOffsetMs: DAY })).toBe('store-differs');
    expect(at({ clientsOffsetMs: -DAY })).toBe('clients-differ');
    expect(at({ storeOffsetMs: undefined })).toBe('store-unknown');
    expect(at({ wallMs: NOON + DAY, storeOffsetMs: undefined })).toBe('store-unknown');
  });
});

describe('a trusted clock', () => {
  it.each([8 * DAY, 4_000 * DAY, -20_000 * DAY, 2 * MINUTE, -2 * MINUTE])(
    'that is set by %d ms is trusted again only after the hold time',
    (ms) => {
      const clocks = steadyClocks();
      clocks.step(ms);
      expect(clocks.run(MINUTE)).toBe('stepped');
      expect(clocks.run(HOUR - MINUTE)).toBe('stepped');
      expect(clocks.run(MINUTE)).toBeUndefined();
    },
  );

  it('that is set back again is doubted from that time on', () => {
    const clocks = steadyClocks();
    clocks.step(8 * DAY);
    clocks.run(30 * MINUTE);
    clocks.step(-8 * DAY);
    expect(clocks.run(HOUR)).toBe('stepped');
    expect(clocks.run(MINUTE)).toBeUndefined();
  });

  it('that runs fast, never by much between two looks, is doubted', () => {
    const clocks = steadyClocks();
    let doubt: Doubt | undefined;
    for (let look = 0; look < 10 && doubt === undefined; look++) {
      clocks.step(20_000);
      doubt = clocks.run(MINUTE);
    }
    expect(doubt).toBe('stepped');
  });

  it('is doubted when the process stood still, also where the monotonic clock goes on meanwhile', () => {
    const clocks = steadyClocks();
    clocks.wallMs += 9 * DAY;
    clocks.monotonicMs += 9 * DAY;
    expect(clocks.look()).toBe('paused');
    expect(clocks.run(HOUR)).toBeUndefined();
  });

  it.each([8 * DAY, -8 * DAY, 6 * MINUTE])(
    'that differs from the store by %d ms is doubted for as long, and for the hold time',
    (offset) => {
      const clocks = steadyClocks();
      clocks.storeOffsetMs = offset;
      expect(clocks.run(30 * DAY)).toBe('store-differs');
      clocks.storeOffsetMs = 0;
      expect(clocks.run(HOUR - MINUTE)).toBe('store-differs');
      expect(clocks.run(MINUTE)).toBeUndefined();
    },
  );

  it('lets nothing expire while the store does not answer, and goes on when it does', () => {
    const clocks = steadyClocks();
    clocks.storeOffsetMs = undefined;
    expect(clocks.run(10 * DAY)).toBe('store-unknown');
    clocks.storeOffsetMs = 1_000;
    expect(clocks.run(MINUTE)).toBeUndefined();
  });

  it('is not doubted for usual differences of clocks', () => {
    const clocks = steadyClocks();
    clocks.storeOffsetMs = -4 * MINUTE;
    clocks.clientsOffsetMs = 14 * MINUTE;
    clocks.step(30_000);
    expect(clocks.run(DAY)).toBeUndefined();
  });
});

describe('clients', () => {
  it('with another time hold everything, but not for longer than a day and the hold time', () => {
    const clocks = new Clocks();
    clocks.clientsOffsetMs = -8 * DAY;
    expect(clocks.run(DAY)).toBe('clients-differ');
    expect(clocks.run(HOUR - MINUTE)).toBe('clients-differ');
    expect(clocks.run(MINUTE)).toBeUndefined();
  });

  it('hold again after that, but never without a time in between in which things may expire', () => {
    const clocks = new Clocks();
    clocks.clientsOffsetMs = -8 * DAY;
    const allowed = Array.from({ length: 10 * 24 * 60 }, () => clocks.run(MINUTE) === undefined);
    const longestHold = longestRunOf(false, allowed) * MINUTE;
    expect(longestHold).toBeGreaterThan(DAY);
    expect(longestHold).toBeLessThanOrEqual(DAY + HOUR + MINUTE);
  });

  it('that agree do not outweigh a store that differs, nor a step', () => {
    const clocks = steadyClocks();
    clocks.clientsOffsetMs = 0;
    clocks.storeOffsetMs = DAY;
    expect(clocks.run(MINUTE)).toBe('store-differs');
    clocks.storeOffsetMs = 0;
    clocks.step(DAY);
    expect(clocks.run(MINUTE)).toBe('stepped');
  });
});

function longestRunOf(value: boolean, values: readonly boolean[]): number {
  let longest = 0;
  let run = 0;
  for (const each of values) {
    run = each === value ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

describe('whatever the clocks do', () => {
  const offset = fc.oneof(fc.constant(0), fc.constant(undefined), fc.integer({ min: -30 * DAY, max: 30 * DAY }));
  const clientsOffset = fc.oneof(fc.constant(0), fc.constant(undefined), fc.integer({ min: -30 * DAY, max: 30 * DAY }));
  const event = fc.record({
    stepMs: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: -30 * DAY, max: 30 * DAY })),
    runMinutes: fc.integer({ min: 1, max: 90 }),
    storeOffsetMs: offset,
    clientsOffsetMs: clientsOffset,
  });
  const play = (
    clocks: Clocks,
    {
      stepMs,
      runMinutes,
      storeOffsetMs,
      clientsOffsetMs,
    }: { stepMs: number; runMinutes: number; storeOffsetMs: number | undefined; clientsOffsetMs: number | undefined },
  ) => {
    clocks.step(stepMs);
    clocks.storeOffsetMs = storeOffsetMs;
    clocks.clientsOffsetMs = clientsOffsetMs;
    return Array.from({ length: runMinutes }, () => clocks.run(MINUTE));
  };

  it('nothing expires within the hold time after a step, and nothing while the store differs or is silent', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        const clocks = new Clocks();
        let sinceStep = 0;
        for (const each of events) {
          // Steps that the store shares: nothing but the step itself shows them.
          if (Math.abs(each.stepMs) > RULES.stepMs) sinceStep = 0;
          for (const doubt of play(clocks, each)) {
            const isHeld = doubt !== undefined;
            if (sinceStep < HOUR / MINUTE - 1) expect(isHeld).toBe(true);
            if (each.storeOffsetMs === undefined || Math.abs(each.storeOffsetMs) > RULES.storeDiffersMs)
              expect(isHeld).toBe(true);
            sinceStep++;
          }
        }
      }),
      { seed: 20261130, numRuns: 300 },
    );
  });

  it('clients never make anything expire earlier than it would without them', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        const [withThem, withoutThem] = [new Clocks(), new Clocks()];
        for (const each of events) {
          const held = play(withThem, each);
          const heldWithout = play(withoutThem, { ...each, clientsOffsetMs: undefined });
          held.forEach((doubt, index) => {
            if (heldWithout[index] !== undefined) expect(doubt).toBeDefined();
          });
        }
      }),
      { seed: 20261130, numRuns: 300 },
    );
  });

  it('with a clock that is right, things expire again within a day and two hold times, whatever clients say', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 6 }), fc.array(clientsOffset, { minLength: 1, maxLength: 50 }), (events, said) => {
        const clocks = new Clocks();
        for (const each of events) play(clocks, each);
        clocks.storeOffsetMs = 0;
        const doubts = Array.from({ length: (DAY + 2 * HOUR) / MINUTE + 2 }, (_, minute) => {
          clocks.clientsOffsetMs = said[minute % said.length];
          return clocks.run(MINUTE);
        });
        expect(doubts).toContain(undefined);
      }),
      { seed: 20261130, numRuns: 200 },
    );
  });
});
