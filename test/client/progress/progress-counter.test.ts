import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src/client/progress/events.ts';
import { createProgressCounter } from '../../../src/client/progress/progress-counter.ts';

const PARTS = 4;
const PART_SIZE = 100;
const SIZE = PARTS * PART_SIZE;
const NOTHING_STORED = { size: SIZE, storedBytes: 0, partsStored: 0, partCount: PARTS };
const STORE = 'the object store';
const SERVER = 'the partway server';

function aCounter({ session = NOTHING_STORED, now = (): number => 0 } = {}) {
  return createProgressCounter(session, now);
}

/** Begins at 0 ms. */
function aClock() {
  let at = 0;
  return {
    now: () => at,
    pass(ms: number): void {
      at += ms;
    },
    goTo(ms: number): void {
      at = ms;
    },
  };
}

function offline(what: string, since: number): EngineEvent {
  return { type: 'offline', what, since, reason: 'ECONNREFUSED', nextTryInMs: 1_000 };
}

function online(what: string): EngineEvent {
  return { type: 'online', what, outageMs: 0 };
}

type Step =
  | ['start' | 'store' | 'end' | 'retry', partNumber: number]
  | ['send', partNumber: number, bytes: number]
  | ['lose', kept: number[]]
  | ['offline', what: string]
  | ['online', what: string];

const partNumber = fc.integer({ min: 1, max: PARTS });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom<'start' | 'store' | 'end' | 'retry'>('start', 'store', 'end', 'retry'), partNumber),
  fc.tuple(fc.constant<'send'>('send'), partNumber, fc.integer({ min: 1, max: PART_SIZE })),
  fc.tuple(fc.constant<'offline'>('offline'), fc.constantFrom(STORE, SERVER)),
  fc.tuple(fc.constant<'online'>('online'), fc.constantFrom(STORE, SERVER)),
);
const stepOrLoss: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: step },
  { weight: 1, arbitrary: fc.tuple(fc.constant<'lose'>('lose'), fc.uniqueArray(partNumber)) },
);

function take(counter: ReturnType<typeof createProgressCounter>, taken: Step, at: number): void {
  const [what] = taken;
  if (what === 'start') counter.partStarted(taken[1]);
  else if (what === 'store') counter.partStored(taken[1], PART_SIZE);
  else if (what === 'end') counter.partEnded(taken[1]);
  else if (what === 'send') counter.sent(taken[1], taken[2]);
  else if (what === 'lose') counter.setStored(taken[1].map((part) => ({ partNumber: part, size: PART_SIZE })));
  else if (what === 'retry') counter.observe({ type: 'retry', partNumber: taken[1], attempt: 1, reason: 'ECONNRESET' });
  else if (what === 'offline') counter.observe(offline(taken[1], at));
  else if (what === 'online') counter.observe(online(taken[1]));
}

/** The same, told again from nothing: each attempt's bytes, and what became of them. */
function accountOf(steps: readonly Step[]) {
  const open = new Map<number, number>();
  const storing = new Map<number, number>();
  let wasted = 0;
  const giveUp = (attempts: Map<number, number>, part: number) => {
    wasted += attempts.get(part) ?? 0;
    attempts.delete(part);
  };
  for (const taken of steps) {
    const [what, of] = taken;
    if (what === 'send') open.set(of, (open.get(of) ?? 0) + taken[2]);
    else if (what === 'start' || what === 'end') giveUp(open, of);
    else if (what === 'store') {
      giveUp(storing, of);
      storing.set(of, open.get(of) ?? 0);
      open.delete(of);
    } else if (what === 'lose') for (const part of [...storing.keys()]) if (!of.includes(part)) giveUp(storing, part);
  }
  const sum = (attempts: Map<number, number>) => [...attempts.values()].reduce((total, bytes) => total + bytes, 0);
  return { inFlight: sum(open), delivered: sum(storing), wasted };
}

describe('whatever happens', () => {
  it('more than the size is never shown, and no figure that only grows ever shrinks', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = aClock();
        const counter = aCounter({ now: clock.now });
        let before = counter.figures();
        for (const taken of steps) {
          clock.pass(100);
          take(counter, taken, clock.now());
          const figures = counter.figures();
          for (const growing of ['storedBytes', 'partsStored', 'retries', 'offlineMs', 'wastedBytes'] as const) {
            expect(figures[growing], growing).toBeGreaterThanOrEqual(before[growing]);
          }
          expect(figures.inFlightBytes).toBeGreaterThanOrEqual(0);
          expect(figures.storedBytes + figures.inFlightBytes).toBeLessThanOrEqual(SIZE);
          expect(figures.partsStored * PART_SIZE).toBe(figures.storedBytes);
          expect(figures.offlineMs).toBeLessThanOrEqual(clock.now());
          expect(figures.secondsRemaining ?? 0).toBeGreaterThanOrEqual(0);
          expect(Number.isFinite(figures.secondsRemaining ?? 0)).toBe(true);
          before = figures;
        }
      }),
      { seed: 20261123, numRuns: 300 },
    );
  });

  it('every byte sent is stored by this run, in flight, or wasted, even when the store loses parts', () => {
    fc.assert(
      fc.property(fc.array(stepOrLoss, { maxLength: 60 }), (steps) => {
        const counter = aCounter();
        for (const taken of steps) take(counter, taken, 0);
        const { inFlight, delivered, wasted } = accountOf(steps);
        const figures = counter.figures();
        expect(figures.wastedBytes).toBe(wasted);
        expect(counter.bytesSent).toBe(delivered + inFlight + figures.wastedBytes);
        expect(figures.inFlightBytes).toBe(Math.min(inFlight, SIZE - figures.storedBytes));
      }),
      { seed: 20261124, numRuns: 300 },
    );
  });
});

describe('what is stored', () => {
  it('is what the session says until the store was asked, so that progress of a resumed upload begins there', () => {
    const counter = aCounter({ session: { ...NOTHING_STORED, storedBytes: 200, partsStored: 2 } });
    expect(counter.figures()).toMatchObject({ storedBytes: 200, partsStored: 2 });
    counter.setStored([{ partNumber: 4, size: 100 }]);
    expect(counter.figures()).toMatchObject({ storedBytes: 100, partsStored: 1 });
  });

  it('follows the list of the store, even when that has less', () => {
    const counter = aCounter();
    counter.setStored([
      { partNumber: 1, size: 100 },
      { partNumber: 2, size: 100 },
    ]);
    expect(counter.figures()).toMatchObject({ storedBytes: 200, partsStored: 2 });
    counter.setStored([{ partNumber: 2, size: 100 }]);
    expect(counter.figures()).toMatchObject({ storedBytes: 100, partsStored: 1 });
  });

  it('counts a part once when it is stored twice', () => {
    const counter = aCounter();
    counter.partStored(1, 100);
    counter.partStored(1, 100);
    expect(counter.figures()).toMatchObject({ storedBytes: 100, partsStored: 1 });
  });
});

describe('a run that goes on with another plan', () => {
  it('counts on: what was sent with the plan before was sent in vain, and nothing shrinks', () => {
    let at = 0;
    const now = () => at;
    const session = { size: 100, storedBytes: 0, partsStored: 0, partCount: 1 };
    const first = createProgressCounter(session, now);
    first.partStarted(1);
    at += 1_000;
    first.sent(1, 60);
    first.observe({ type: 'retry', partNumber: 1, attempt: 1, reason: 'cut' });
    first.observe({ type: 'offline', what: 'x', since: at, reason: 'cut', nextTryInMs: 0 });
    at += 1_000;
    first.observe({ type: 'online', what: 'x', outageMs: 1_000 });
    first.partEnded(1);
    const before = first.totals();
    const second = createProgressCounter({ ...session, partCount: 10 }, now, before);
    expect(second.totals()).toEqual(before);
    second.partStarted(1);
    at += 1_000;
    second.sent(1, 10);
    second.partStored(1, 10);
    expect(second.totals()).toMatchObject({ bytesSent: 70, wastedBytes: 60, retries: 1, offlineSeconds: 1, seconds: 3 });
    expect(second.totals().averageBytesPerSecond).toBe(35);
  });
});

describe('what was sent', () => {
  it('counts every byte that went over the wire, and as wasted those of the attempt that failed', () => {
    const counter = aCounter();
    counter.partStarted(1);
    counter.sent(1, 60);
    counter.partEnded(1);
    counter.partStarted(1);
    counter.sent(1, 100);
    counter.partStored(1, 100);
    expect(counter.bytesSent).toBe(160);
    expect(counter.figures()).toMatchObject({ storedBytes: 100, inFlightBytes: 0, partsStored: 1, wastedBytes: 60 });
  });

  it('starts a part from nothing again when it is repeated', () => {
    const counter = aCounter();
    counter.partStarted(1);
    counter.sent(1, 60);
    counter.partStarted(1);
    expect(counter.figures()).toMatchObject({ inFlightBytes: 0, wastedBytes: 60 });
  });

  it('was wasted when the store lost the part, and what an earlier run sent is none of this run’s waste', () => {
    const counter = aCounter();
    counter.setStored([{ partNumber: 1, size: 100 }]);
    counter.partStarted(2);
    counter.sent(2, 100);
    counter.partStored(2, 100);
    counter.setStored([]);
    expect(counter.figures()).toMatchObject({ storedBytes: 0, wastedBytes: 100 });
  });
});

describe('the time left', () => {
  it('is not invented while attempts fail and no part gets through', () => {
    let at = 0;
    const counter = createProgressCounter({ size: 100, storedBytes: 0, partsStored: 0, partCount: 10 }, () => at);
    const send = () => {
      counter.partStarted(1);
      for (let step = 0; step < 5; step++) {
        at += 200;
        counter.sent(1, 1);
        counter.figures();
      }
    };
    send();
    expect(counter.figures().secondsRemaining).toBeGreaterThan(0);
    for (let attempt = 1; attempt <= 2; attempt++) {
      counter.observe({ type: 'retry', partNumber: 1, attempt, reason: 'cut' });
      counter.partEnded(1);
      send();
    }
    expect(counter.figures().secondsRemaining).toBeNull();
    counter.partStored(1, 10);
    expect(counter.figures().secondsRemaining).toBeGreaterThan(0);
  });

  it('is known once the speed is known, and zero when nothing is left', () => {
    const clock = aClock();
    const counter = aCounter({ now: clock.now });
    expect(counter.figures()).toMatchObject({ bytesPerSecond: 0, secondsRemaining: null });
    counter.partStarted(1);
    counter.sent(1, 100);
    clock.goTo(1_000);
    expect(counter.figures()).toMatchObject({ bytesPerSecond: 100, secondsRemaining: 3 });
    counter.setStored([1, 2, 3, 4].map((part) => ({ partNumber: part, size: PART_SIZE })));
    expect(counter.figures().secondsRemaining).toBe(0);
    expect(counter.totals().seconds).toBe(1);
  });

  it('is unknown during an outage, and after it what the speed of before says, not what the silence would', () => {
    const clock = aClock();
    const counter = aCounter({ session: { ...NOTHING_STORED, size: 1_000_000 }, now: clock.now });
    const send = (seconds: number) => {
      for (let quarter = 0; quarter < seconds * 4; quarter++) {
        clock.pass(250);
        counter.sent(1, 25);
        counter.figures();
      }
    };
    counter.partStarted(1);
    send(20);
    expect(counter.figures()).toMatchObject({ bytesPerSecond: 100, secondsRemaining: 9_980 });
    counter.observe(offline(STORE, clock.now()));
    for (let second = 0; second < 600; second++) {
      clock.pass(1_000);
      expect(counter.figures()).toMatchObject({ bytesPerSecond: 0, secondsRemaining: null });
    }
    counter.observe(online(STORE));
    expect(counter.figures()).toMatchObject({ secondsRemaining: null });
    send(0.25);
    expect(counter.figures().bytesPerSecond).toBe(100);
    expect(counter.figures().secondsRemaining).toBeCloseTo(9_979.75);
    send(60);
    expect(counter.figures().secondsRemaining).toBeCloseTo(9_919.75);
  });
});

describe('time offline', () => {
  it('includes the current outage, from its beginning and not from when it was reported', () => {
    const clock = aClock();
    const counter = aCounter({ now: clock.now });
    clock.goTo(3_000);
    counter.observe(offline(STORE, 500));
    clock.goTo(4_500);
    expect(counter.figures().offlineMs).toBe(4_000);
    counter.observe(offline(STORE, 500));
    clock.goTo(5_500);
    counter.observe(online(STORE));
    clock.goTo(60_000);
    expect(counter.figures().offlineMs).toBe(5_000);
    expect(counter.totals().offlineSeconds).toBe(5);
  });

  it.each([
    ['one within the other', [1_000, 4_000], [2_000, 3_000], 3_000],
    ['one after the other', [1_000, 2_000], [3_000, 4_500], 2_500],
    ['overlapping', [1_000, 3_000], [2_000, 5_000], 4_000],
    ['the second told only when the first was over', [1_000, 3_000], [2_500, 5_000], 4_000, 3_500],
  ] as const)('of store and server counts once: %s', (_, store, server, expected, toldAt: number = server[0]) => {
    const clock = aClock();
    const counter = aCounter({ now: clock.now });
    const happenings: [number, EngineEvent][] = [
      [store[0], offline(STORE, store[0])],
      [store[1], online(STORE)],
      [toldAt, offline(SERVER, server[0])],
      [server[1], online(SERVER)],
    ];
    for (const [at, event] of happenings.sort(([a], [b]) => a - b)) {
      clock.goTo(at);
      counter.observe(event);
    }
    clock.goTo(10_000);
    expect(counter.figures().offlineMs).toBe(expected);
  });

  it('is left out of the average, and so is what is sent meanwhile', () => {
    const clock = aClock();
    const counter = aCounter({ now: clock.now });
    expect(counter.figures().averageBytesPerSecond).toBe(0);
    counter.partStarted(1);
    counter.sent(1, 60);
    clock.goTo(1_000);
    counter.observe(offline(SERVER, 1_000));
    counter.sent(1, 40);
    clock.goTo(100_000);
    counter.observe(online(SERVER));
    counter.partStarted(2);
    counter.sent(2, 40);
    clock.goTo(101_000);
    expect(counter.figures().averageBytesPerSecond).toBe(50);
    expect(counter.totals()).toMatchObject({ averageBytesPerSecond: 50, bytesSent: 140, seconds: 101, offlineSeconds: 99 });
  });
});

describe('a pause', () => {
  /** Sends evenly, looked at four times a second as the engine does. */
  function aPausedCounter(pausedSeconds: number) {
    const clock = aClock();
    const counter = aCounter({ session: { ...NOTHING_STORED, size: 1_000_000 }, now: clock.now });
    const send = (seconds: number, bytesPerSecond: number) => {
      for (let quarter = 0; quarter < seconds * 4; quarter++) {
        clock.pass(250);
        counter.sent(1, bytesPerSecond / 4);
        counter.figures();
      }
    };
    counter.partStarted(1);
    send(20, 100);
    counter.observe({ type: 'paused' });
    send(1, 20);
    const draining = counter.figures();
    counter.partStored(1, 2_020);
    for (let second = 1; second < pausedSeconds; second++) {
      clock.pass(1_000);
      counter.figures();
    }
    const paused = counter.figures();
    counter.partStarted(1);
    return { counter, send, draining, paused };
  }

  it('shows what is still sent, then no speed, and never a time left', () => {
    const { draining, paused } = aPausedCounter(3);
    expect(draining).toMatchObject({ bytesPerSecond: 20, secondsRemaining: null });
    expect(paused).toMatchObject({ bytesPerSecond: 0, secondsRemaining: null, offlineMs: 0 });
  });

  it.each([2, 3_600])('of %i s leaves speed, time left and average as they were before it', (seconds) => {
    const { counter, send } = aPausedCounter(seconds);
    counter.observe({ type: 'resumed' });
    send(0.25, 100);
    const { bytesPerSecond, secondsRemaining, averageBytesPerSecond, size, storedBytes, inFlightBytes } = counter.figures();
    expect(bytesPerSecond).toBe(100);
    expect(secondsRemaining).toBeCloseTo((size - storedBytes - inFlightBytes) / 100);
    expect(averageBytesPerSecond).toBeCloseTo(100);
  });

  it('in which the limit is changed leaves nothing to reckon with but the new speed', () => {
    const { counter, send } = aPausedCounter(60);
    counter.observe({ type: 'limit', bytesPerSecond: 10 });
    expect(counter.figures().secondsRemaining).toBeNull();
    counter.observe({ type: 'resumed' });
    send(1, 10);
    const { secondsRemaining, size, storedBytes, inFlightBytes } = counter.figures();
    expect(secondsRemaining).toBeCloseTo((size - storedBytes - inFlightBytes) / 10);
  });
});

it('counts each retry event', () => {
  const counter = aCounter();
  counter.observe({ type: 'retry', partNumber: 1, attempt: 1, reason: 'ECONNRESET' });
  counter.observe({ type: 'retry', partNumber: 1, attempt: 2, reason: 'ECONNRESET' });
  expect(counter.figures().retries).toBe(2);
  expect(counter.totals().retries).toBe(2);
});

it('has nothing left from the start of a file of 0 bytes', () => {
  expect(aCounter({ session: { ...NOTHING_STORED, size: 0, partCount: 1 } }).figures()).toMatchObject({
    size: 0,
    storedBytes: 0,
    inFlightBytes: 0,
    secondsRemaining: 0,
  });
});
