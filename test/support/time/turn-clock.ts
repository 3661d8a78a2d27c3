import { onTestFinished } from 'vitest';

const TURN_MS = 10;

/**
 * Measures time in turns of this process' event loop, for a test that says "at once" or "soon". On a busy host the loop turns less often
 * in the same proportion as everything else takes longer, so a limit holds there as well. Returns a function for the milliseconds so far.
 * They are never more than those of a real clock, so this suits only upper limits.
 */
export function startTurnClock(): () => number {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, TURN_MS);
  onTestFinished(() => clearInterval(timer));
  return () => turns * TURN_MS;
}
