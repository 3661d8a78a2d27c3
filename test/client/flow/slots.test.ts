import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createSlots } from '../../../src/client/flow/slots.ts';
import { MiB } from '../../../src/session/part-plan.ts';

describe('the slots of an upload', () => {
  it('learn nothing from a pause: afterwards they go on finding out what pays, from where they were', async () => {
    let at = 0;
    let bytesSent = 0;
    let beingSent = 0;
    const slots = createSlots({ partSize: 8 * MiB, most: 16, fixed: false, bytesSent: () => bytesSent, now: () => at });
    const endless = () => {
      beingSent += 1;
      return new Promise<never>(() => {});
    };
    for (let part = 0; part < 60; part++) void slots.inOrder((inSendSlot) => inSendSlot(endless));
    /** A link on which each connection is slow by itself: every step up pays. */
    const pass = async (windows: number) => {
      for (let window = 0; window < windows; window++) {
        at += 500;
        bytesSent += beingSent * 25e6;
        slots.tick();
        await nextTurn();
      }
    };
    await pass(5);
    expect(beingSent).toBe(8);
    at += 3_600_000;
    slots.restart();
    await pass(1);
    expect(beingSent).toBe(8);
    await pass(1);
    expect(beingSent).toBe(16);
  });

  /** One body on the wire at a time; parts are prepared when the test says so. */
  function aFixedSlot() {
    const slots = createSlots({ partSize: 8 * MiB, most: 1, fixed: true, bytesSent: () => 0, now: () => 0 });
    const sent: number[] = [];
    const prepared: (() => void)[] = [];
    const send = (part: number) => async () => void sent.push(part);
    const begin = (part: number) =>
      slots.inOrder(async (inSendSlot) => {
        await new Promise<void>((resolve) => {
          prepared[part] = resolve;
        });
        await inSendSlot(send(part));
      });
    return { slots, sent, prepared, send, begin };
  }

  it('are taken in the order of the parts, whichever part is prepared first', async () => {
    const { sent, prepared, begin } = aFixedSlot();
    const parts = [begin(0), begin(1), begin(2)];
    await nextTurn();
    prepared[2]?.();
    prepared[1]?.();
    await nextTurn();
    expect(sent).toEqual([]);
    prepared[0]?.();
    await Promise.all(parts);
    expect(sent).toEqual([0, 1, 2]);
  });

  it('are not held up by a part that fails before it is sent', async () => {
    const { slots, sent, send } = aFixedSlot();
    const failing = slots.inOrder(() => Promise.reject(new Error('cannot be read')));
    const next = slots.inOrder((inSendSlot) => inSendSlot(send(2)));
    await expect(failing).rejects.toThrow('cannot be read');
    await next;
    expect(sent).toEqual([2]);
  });

  it('are taken again at once by a part that is repeated, though parts before it have not ended', async () => {
    const { slots, sent, send } = aFixedSlot();
    const first = slots.inOrder(async (inSendSlot) => {
      await inSendSlot(send(1));
      await new Promise<never>(() => {});
    });
    await slots.inOrder(async (inSendSlot) => {
      await inSendSlot(send(2));
      await inSendSlot(send(2));
    });
    expect(sent).toEqual([1, 2, 2]);
    void first;
  });
});
