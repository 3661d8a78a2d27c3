import { setTimeout as wait } from 'node:timers/promises';
import * as fc from 'fast-check';
import { testSeed } from '../support/store/stored-bytes.ts';
import { play } from './play.ts';
import { type Limits, type Schedule, schedule } from './schedule.ts';
import type { Setting } from './stage.ts';

export interface Lanes {
  /** The number of lanes: schedules that play at the same time, if the host keeps up with them. */
  readonly lanes: number;
  readonly schedulesInLane: number;
  /** Played in each lane however long they take. A slow host plays fewer schedules than `schedulesInLane`, and interrupts none. */
  readonly fewestInLane: number;
  /** After this time, no lane begins a schedule beyond `fewestInLane` or shrinks a failure further. */
  readonly enoughMs: number;
}

/** If a turn of the event loop is this late, the host or this process is busy. */
const LATE_MS = 60;
const TURN_MS = 20;
/** This many schedules may play even if the event loop is late. */
const FEWEST_AT_ONCE = 3;

/**
 * Limits how many schedules play at the same time to what the event loop can serve. All of them share it with their engines, proxies and
 * servers, whose timers are reliable only if the loop turns in time.
 */
class Admission {
  #playing = 0;
  #queue: Promise<void> = Promise.resolve();

  async play(schedule: () => Promise<void>): Promise<void> {
    // One at a time, because the load of each schedule shows only in the next turn.
    this.#queue = this.#queue.then(() => this.#letIn());
    await this.#queue;
    await schedule().finally(() => {
      this.#playing -= 1;
    });
  }

  async #letIn(): Promise<void> {
    while ((await isTurnLate()) && this.#playing >= FEWEST_AT_ONCE);
    this.#playing += 1;
  }
}

async function isTurnLate(): Promise<boolean> {
  const askedAt = performance.now();
  await wait(TURN_MS);
  return performance.now() - askedAt > TURN_MS + LATE_MS;
}

/** The time limit of a test with schedules. It is not a budget, but ends a test that hangs in spite of its own limits. */
export const UNHURRIED_MS = 1_200_000;

/**
 * Plays random schedules, many at the same time, because a schedule mostly waits for the engine's own timers and real sockets. Resolves
 * with the number of schedules played. A failure is reported with the seed and the path of its schedule, which choose the same schedule
 * again (PARTWAY_TEST_SEED, PARTWAY_TEST_PATH); the rest depends on the network's timing.
 */
export async function playMany(
  { lanes, schedulesInLane, fewestInLane, enoughMs }: Lanes,
  setting: Setting,
  limits: Limits,
  /** Schedules that failed in the past; the first lane plays them first. */
  examples: readonly Schedule[] = [],
): Promise<number> {
  const seed = testSeed();
  const path = process.env.PARTWAY_TEST_PATH;
  console.info(`schedules: PARTWAY_TEST_SEED=${seed}${path === undefined ? '' : ` PARTWAY_TEST_PATH=${path}`}`);
  const startedAt = performance.now();
  const admission = new Admission();
  let played = 0;
  const playLane = (laneSeed: number, index: number) => {
    let playedInLane = 0;
    return fc.assert(
      fc.asyncProperty(schedule(limits), async (each: Schedule) => {
        if (playedInLane >= fewestInLane && performance.now() - startedAt > enoughMs) return;
        playedInLane += 1;
        await admission.play(() => play(each, setting));
        played += 1;
      }),
      {
        seed: laneSeed,
        numRuns: schedulesInLane,
        ...(path === undefined ? { examples: index === 0 ? examples.map((each): [Schedule] => [each]) : [] } : { path }),
      },
    );
  };
  const seeds = path === undefined ? Array.from({ length: lanes }, (_, index) => seed + index) : [seed];
  const failed = (await Promise.allSettled(seeds.map(playLane))).filter((outcome) => outcome.status === 'rejected');
  if (failed.length > 0) throw failed[0]?.reason;
  console.info(`schedules: ${played} of ${lanes * schedulesInLane} were played`);
  return played;
}
