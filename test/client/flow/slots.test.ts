import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createLanes } from '../../../src/client/flow/slots.ts';
import { MiB } from '../../../src/session/part-plan.ts';

describe('the lanes of an upload', () => {
  it('learn nothing from a pause: afterwards they go on finding out what pays, from where they were', async () => {
    let at = 0;
    let bytesSent = 0;
    let inPlace = 0;
    const lanes = createLanes({ partSize: 8 * MiB, most: 16, fixed: false, bytesSent: () => bytesSent, now: () => at });
    const endless = () => {
      inPlace += 1;
      return new Promise<never>(() => {});
    };
    for (let part = 0; part < 60; part++) void lanes.inHand(() => lanes.inPlace(endless));
    /** A link on which each connection is slow by itself: every step up pays. */
    const pass = async (windows: number) => {
      for (let window = 0; window < windows; window++) {
        at += 500;
        bytesSent += inPlace * 25e6;
        lanes.tick();
        await nextTurn();
      }
    };
    await pass(5);
    expect(inPlace).toBe(8);
    at += 3_600_000;
    lanes.restart();
    await pass(1);
    expect(inPlace).toBe(8);
    await pass(1);
    expect(inPlace).toBe(16);
  });
});
