import { setTimeout as wait } from 'node:timers/promises';
import * as fc from 'fast-check';
import { testSeed } from '../support/store/stored-bytes.ts';
import { play } from './play.ts';
import { type Limits, type Schedule, schedule } from './schedule.ts';
import type { Setting } from './stage.ts';

export interface Lanes {
  /** Schedules that are played at the same time, where the machine keeps up with them. */
  readonly lanes: number;
  readonly schedulesInLane: number;
  /** Played in each lane however long they take: a slow machine plays fewer schedules, and none is interrupted. */
  readonly fewestInLane: number;
  /** After this long no lane begins another schedule beyond `fewestInLane`, nor shrinks a failure further. */
  readonly enoughMs: number;
}

/** A turn of the event loop that is this late means that the machine, or this process, has enough to do. */
const LATE_MS = 60;
const TURN_MS = 20;
/** As many play in any case. */
const FEWEST_AT_ONCE = 3;

/**
 * Lets in as many schedules at a time as the event loop serves in time. All of them share it with the engines, proxies and servers
 * that they play with, whose timers mean something only where it turns.
 */
class Admission {
  #playing = 0;
  #queue: Promise<void> = Promise.resolve();

  async play(schedule: () => Promise<void>): Promise<void> {
    // One after another: each that is let in shows in the next turn.
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

/** No budget: it ends a test that hangs in spite of all the limits in it. */
export const UNHURRIED_MS = 1_200_000;

/**
 * Plays random schedules, many at the same time: most of a schedule is waiting, with the engine's own timers and over real
 * sockets. Resolves to how many were played. A failure is told with the seed and the path of its schedule; they choose the same
 * schedule again (PARTWAY_TEST_SEED, PARTWAY_TEST_PATH), and the network's timing decides the rest.
 */
export async function playMany(
  { lanes, schedulesInLane, fewestInLane, enoughMs }: Lanes,
  setting: Setting,
  limits: Limits,
  /** Schedules that once failed; the first lane plays them first. */
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
