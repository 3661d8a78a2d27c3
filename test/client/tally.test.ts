import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTally } from '../../src/client/pace/tally.ts';

const PARTS = 4;
const PART_SIZE = 100;
const SIZE = PARTS * PART_SIZE;

type Step = ['start' | 'store' | 'end', partNumber: number] | ['send', partNumber: number, bytes: number];

const partNumber = fc.integer({ min: 1, max: PARTS });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom<'start' | 'store' | 'end'>('start', 'store', 'end'), partNumber),
  fc.tuple(fc.constant<'send'>('send'), partNumber, fc.integer({ min: 1, max: PART_SIZE })),
);

function take(tally: ReturnType<typeof createTally>, [what, part, bytes]: Step): void {
  if (what === 'start') tally.partStarted(part);
  else if (what === 'store') tally.partStored(part, PART_SIZE);
  else if (what === 'end') tally.partEnded(part);
  else tally.sent(part, bytes ?? 0);
}

describe('the tally', () => {
  it('never shows more than the size, and never less stored than before, whatever happens', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let now = 0;
        const tally = createTally(SIZE, PARTS, () => now);
        let stored = 0;
        for (const taken of steps) {
          now += 100;
          take(tally, taken);
          const figures = tally.figures();
          expect(figures.storedBytes).toBeGreaterThanOrEqual(stored);
          expect(figures.inFlightBytes).toBeGreaterThanOrEqual(0);
          expect(figures.storedBytes + figures.inFlightBytes).toBeLessThanOrEqual(SIZE);
          expect(figures.partsStored * PART_SIZE).toBe(figures.storedBytes);
          stored = figures.storedBytes;
        }
      }),
      { seed: 20261123, numRuns: 300 },
    );
  });

  it('counts every byte that went over the wire, repeats too', () => {
    const tally = createTally(SIZE, PARTS, () => 0);
    tally.partStarted(1);
    tally.sent(1, 60);
    tally.partEnded(1);
    tally.partStarted(1);
    tally.sent(1, 100);
    tally.partStored(1, 100);
    expect(tally.bytesSent).toBe(160);
    expect(tally.figures()).toMatchObject({ storedBytes: 100, inFlightBytes: 0, partsStored: 1 });
  });

  it('starts a part from nothing again when it is repeated', () => {
    const tally = createTally(SIZE, PARTS, () => 0);
    tally.partStarted(1);
    tally.sent(1, 60);
    tally.partStarted(1);
    expect(tally.figures().inFlightBytes).toBe(0);
  });

  it('counts a part once when it is stored twice', () => {
    const tally = createTally(SIZE, PARTS, () => 0);
    tally.partStored(1, 100);
    tally.partStored(1, 100);
    expect(tally.figures()).toMatchObject({ storedBytes: 100, partsStored: 1 });
  });

  it('takes the word of the store for what is stored, also when it is less', () => {
    const tally = createTally(SIZE, PARTS, () => 0);
    tally.setStored([
      { partNumber: 1, size: 100 },
      { partNumber: 2, size: 100 },
    ]);
    expect(tally.figures()).toMatchObject({ storedBytes: 200, partsStored: 2 });
    tally.setStored([{ partNumber: 2, size: 100 }]);
    expect(tally.figures()).toMatchObject({ storedBytes: 100, partsStored: 1 });
  });

  it('says how long is left once it knows the speed, and zero when nothing is left', () => {
    let now = 0;
    const tally = createTally(SIZE, PARTS, () => now);
    expect(tally.figures()).toMatchObject({ bytesPerSecond: 0, secondsRemaining: null });
    tally.partStarted(1);
    tally.sent(1, 100);
    now = 1_000;
    expect(tally.figures()).toMatchObject({ bytesPerSecond: 100, secondsRemaining: 3 });
    tally.setStored([1, 2, 3, 4].map((part) => ({ partNumber: part, size: PART_SIZE })));
    expect(tally.figures().secondsRemaining).toBe(0);
    expect(tally.seconds).toBe(1);
  });

  it('of a file of 0 bytes has nothing left from the start', () => {
    expect(createTally(0, 1, () => 0).figures()).toMatchObject({
      size: 0,
      storedBytes: 0,
      inFlightBytes: 0,
      secondsRemaining: 0,
    });
  });
});
