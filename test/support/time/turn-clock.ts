import { onTestFinished } from 'vitest';

const TURN_MS = 10;

/**
 * Measures time in turns of this process' event loop, for a test that says "at once" or "soon". On a busy machine the loop turns as much
 * less often as everything else takes longer, so a limit holds there, too. Returns what tells the milliseconds so far; they are
 * never more than those of a real clock, so this is for upper limits alone.
 */
export function startTurnClock(): () => number {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, TURN_MS);
  onTestFinished(() => clearInterval(timer));
  return () => turns * TURN_MS;
}
