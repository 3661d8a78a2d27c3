import { describe, expect, it } from 'vitest';
import { playMany, UNHURRIED_MS } from './lanes.ts';
import { startFakeStore } from './model-store.ts';
import type { Setting } from './stage.ts';

/**
 * All 480 schedules take about 60 s on two idle cores. The engine runs with its real timers over real sockets, so a schedule takes
 * seconds, which it spends almost entirely on waiting: 40 schedules wait side by side. Fake timers were the alternative, but they would
 * have to guess when sockets are idle, and would skip the very waits that are to be tested.
 */
const LANES = { lanes: 40, schedulesInLane: 12, fewestInLane: 1, enoughMs: 150_000 };

const PART = 8 * 1024;
const TINY: Setting = { partSize: PART, pieceSize: PART / 8, stallMs: 1_000, openStore: startFakeStore };

describe('an upload', () => {
  it('results in the whole object or in none, under every schedule of faults', { timeout: UNHURRIED_MS }, async () => {
    const played = await playMany(LANES, TINY, { mostParts: 6, losesParts: true });
    expect(played).toBeGreaterThanOrEqual(process.env.PARTWAY_TEST_PATH === undefined ? LANES.lanes * LANES.fewestInLane : 1);
  });
});
