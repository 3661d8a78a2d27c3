import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createUploadControl } from '../../../src/client/flow/upload-control.ts';
import type { ControlEvent } from '../../../src/client/progress/events.ts';

function aListenedControl(...options: Parameters<typeof createUploadControl>) {
  const control = createUploadControl(...options);
  const events: ControlEvent[] = [];
  const stop = control.listen((event) => events.push(event));
  return { control, events, stop };
}

describe('the control of an upload', () => {
  it('notifies listeners of changes only', () => {
    const { control, events, stop } = aListenedControl({ bytesPerSecond: 2_000 });
    control.resume();
    control.bytesPerSecond = 2_000;
    expect(events).toEqual([]);
    control.pause();
    control.pause();
    control.bytesPerSecond = 1_000;
    control.bytesPerSecond = undefined;
    control.resume();
    expect(events).toEqual([
      { type: 'paused' },
      { type: 'limit', bytesPerSecond: 1_000 },
      { type: 'limit', bytesPerSecond: null },
      { type: 'resumed' },
    ]);
    stop();
    control.pause();
    expect(events).toHaveLength(4);
  });

  it('holds all parts until it is resumed, and none afterwards', async () => {
    const { signal } = new AbortController();
    const control = createUploadControl();
    await control.untilResumed(signal);
    control.pause();
    let through = 0;
    const waiting = [1, 2, 3].map(() => control.untilResumed(signal).then(() => (through += 1)));
    // Long enough for a promise that does not wait for anything.
    await new Promise((resolve) => setImmediate(resolve));
    expect(through).toBe(0);
    control.resume();
    await Promise.all(waiting);
    await control.untilResumed(signal);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('ends a wait when the signal aborts, with its reason', async () => {
    const interruption = new AbortController();
    const control = createUploadControl();
    control.pause();
    const waiting = control.untilResumed(interruption.signal).catch((error: unknown) => error);
    const reason = new Error('interrupted');
    interruption.abort(reason);
    expect(await waiting).toBe(reason);
  });

  it('knows how long it was paused, including the current pause', () => {
    let now = 1_000;
    const control = createUploadControl({}, () => now);
    for (const pausedFor of [500, 200]) {
      control.pause();
      now += pausedFor;
      control.resume();
      now += 10_000;
    }
    expect(control.pausedMs).toBe(700);
    control.pause();
    now += 50;
    expect([control.pausedMs, control.pauses]).toEqual([750, 3]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('takes no limit of %d', (bytesPerSecond) => {
    const { control, events } = aListenedControl();
    expect(() => createUploadControl({ bytesPerSecond })).toThrow(RangeError);
    expect(() => {
      control.bytesPerSecond = bytesPerSecond;
    }).toThrow(RangeError);
    expect([control.bytesPerSecond, events]).toEqual([undefined, []]);
  });
});
