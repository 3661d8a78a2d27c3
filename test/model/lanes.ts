import * as fc from 'fast-check';
import { testSeed } from '../support/stored-bytes.ts';
import { play } from './play.ts';
import { type Limits, type Schedule, schedule } from './schedule.ts';
import type { Setting } from './stage.ts';

export interface Lanes {
  /** Schedules that are played at the same time. */
  readonly lanes: number;
  readonly schedulesInLane: number;
  /** Shrinking a failure goes on for so long; running out of time before all schedules were played is a failure, too. */
  readonly budgetMs: number;
}

/**
 * Plays random schedules, many at the same time: most of a schedule is waiting, with the engine's own timers and over real
 * sockets. Resolves to how many were played. A failure is told with the seed and the path of its schedule; they choose the same
 * schedule again (PARTWAY_TEST_SEED, PARTWAY_TEST_PATH), and the network's timing decides the rest.
 */
export async function playMany(
  { lanes, schedulesInLane, budgetMs }: Lanes,
  setting: Setting,
  limits: Limits,
  /** Schedules that once failed; the first lane plays them first. */
  examples: readonly Schedule[] = [],
): Promise<number> {
  const seed = testSeed();
  const path = process.env.PARTWAY_TEST_PATH;
  console.info(`schedules: PARTWAY_TEST_SEED=${seed}${path === undefined ? '' : ` PARTWAY_TEST_PATH=${path}`}`);
  let played = 0;
  const lane = (laneSeed: number, index: number) =>
    fc.assert(
      fc.asyncProperty(schedule(limits), async (each: Schedule) => {
        await play(each, setting);
        played += 1;
      }),
      {
        seed: laneSeed,
        numRuns: schedulesInLane,
        interruptAfterTimeLimit: budgetMs,
        markInterruptAsFailure: true,
        ...(path === undefined ? { examples: index === 0 ? examples.map((each): [Schedule] => [each]) : [] } : { path }),
      },
    );
  const seeds = path === undefined ? Array.from({ length: lanes }, (_, index) => seed + index) : [seed];
  const failed = (await Promise.allSettled(seeds.map(lane))).filter((outcome) => outcome.status === 'rejected');
  if (failed.length > 0) throw failed[0]?.reason;
  return played;
}
