import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFlightController, MOST_PARTS_IN_FLIGHT } from '../../../src/client/flow/parts-in-flight.ts';
import { MiB } from '../../../src/session/part-plan.ts';

/** What a link carries with so many parts in flight, in bytes per second, at a time in seconds. */
type Link = (partsInFlight: number, second: number) => number;

const mbit = (megabits: number) => (megabits * 1e6) / 8;
/** A pipe that one connection fills. */
const narrow =
  (capacity: number): Link =>
  () =>
    capacity;
/** Each connection is limited by itself (loss, latency), until the pipe is full. */
const perConnection =
  (each: number, capacity: number): Link =>
  (parts) =>
    Math.min(capacity, each * parts);

interface Step {
  readonly second: number;
  readonly limit: number;
}

/** Runs the controller over a link for a while, with windows as the engine cuts them. */
function simulate(link: Link, seconds: number, partSize = 8 * MiB, troubleAt: readonly number[] = []): Step[] {
  const controller = createFlightController();
  const steps: Step[] = [];
  const troubles = [...troubleAt];
  let at = 0;
  while (at < seconds * 1_000) {
    const bytesPerSecond = link(controller.limit, at / 1_000);
    at += Math.min(20_000, Math.max(400, (controller.limit * MiB * 1_000) / bytesPerSecond));
    if (troubles[0] !== undefined && at >= troubles[0] * 1_000) {
      troubles.shift();
      controller.halve(at);
    } else {
      controller.window({ at, bytesPerSecond, saturated: true, partSize });
    }
    steps.push({ second: at / 1_000, limit: controller.limit });
  }
  return steps;
}

const limitsAfter = (steps: readonly Step[], second: number) =>
  steps.filter((step) => step.second >= second).map(({ limit }) => limit);
const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

describe('the number of parts in flight', () => {
  it('starts small', () => {
    expect(createFlightController().limit).toBe(2);
  });

  it('stays small on a link that one connection fills, trying one more now and then', () => {
    const limits = limitsAfter(simulate(narrow(mbit(80)), 300), 10);
    expect(Math.max(...limits)).toBeLessThanOrEqual(3);
    expect(mean(limits)).toBeLessThan(2.5);
  });

  it('goes down to one where what is in flight would take long to send again', () => {
    const limits = limitsAfter(simulate(narrow(mbit(4)), 600), 200);
    expect(mean(limits)).toBeLessThan(1.6);
  });

  it('doubles within two seconds to what a fast link needs', () => {
    const steps = simulate(perConnection(50e6, 400e6), 20);
    expect(limitsAfter(steps, 2.5)[0]).toBeGreaterThanOrEqual(8);
  });

  it('ends near the knee of a link on which each connection is slow by itself', () => {
    const limits = limitsAfter(simulate(perConnection(mbit(8), mbit(80)), 600), 60);
    expect(mean(limits)).toBeGreaterThan(8);
    expect(Math.max(...limits)).toBeLessThanOrEqual(MOST_PARTS_IN_FLIGHT);
  });

  it('follows a link that becomes better', () => {
    const link: Link = (parts, second) => (second < 60 ? mbit(20) : Math.min(mbit(800), mbit(50) * parts));
    const limits = limitsAfter(simulate(link, 240), 180);
    expect(Math.min(...limits)).toBeGreaterThan(6);
  });

  it('halves when a connection stalls', () => {
    const controller = createFlightController();
    for (let at = 400; at < 4_000; at += 400) {
      controller.window({ at, bytesPerSecond: 50e6 * controller.limit, saturated: true, partSize: 8 * MiB });
    }
    const before = controller.limit;
    expect(before).toBeGreaterThan(4);
    expect(controller.halve(5_000)).toBe(Math.floor(before / 2));
  });

  it('begins to find out again after a restart, from where it was and without a rest', () => {
    const controller = createFlightController();
    let at = 0;
    const pass = (bytesPerSecond: number, windows: number) => {
      for (let window = 0; window < windows; window++) {
        at += 400;
        controller.window({ at, bytesPerSecond, saturated: true, partSize: MiB });
      }
    };
    // At a limit no step pays: it has come to rest for long.
    pass(1e6, 2_000);
    const before = controller.limit;
    controller.restart();
    expect(controller.limit).toBe(before);
    pass(1e8, 1);
    expect(controller.limit).toBe(2 * before);
    // That all is faster now is no merit of the step.
    pass(1e8, 5);
    expect(controller.limit).toBe(before);
  });

  it('learns nothing from a window in which parts did not fill it', () => {
    const controller = createFlightController();
    for (let at = 400; at < 40_000; at += 400) controller.window({ at, bytesPerSecond: 1, saturated: false, partSize: MiB });
    expect(controller.limit).toBe(2);
  });

  it('stays from one to its most on any link, with any noise and any trouble', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 1e9 }), fc.boolean(), fc.boolean()), { maxLength: 200 }),
        fc.integer({ min: 1, max: 16 }),
        (windows, most) => {
          const controller = createFlightController(most);
          let at = 0;
          for (const [bytesPerSecond, saturated, trouble] of windows) {
            at += 400;
            if (trouble) controller.halve(at);
            else controller.window({ at, bytesPerSecond, saturated, partSize: 8 * MiB });
            expect(controller.limit).toBeGreaterThanOrEqual(1);
            expect(controller.limit).toBeLessThanOrEqual(most);
          }
        },
      ),
    );
  });
});
