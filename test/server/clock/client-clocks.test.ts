import { beforeEach, describe, expect, it } from 'vitest';
import { createClientClocks } from '../../../src/server/clock/client-clocks.ts';
import { NOON } from '../../support/database/sessions.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let monotonicMs: number;
let clients: ReturnType<typeof createClientClocks>;
beforeEach(() => {
  monotonicMs = 0;
  clients = createClientClocks(() => monotonicMs);
});

const dateAt = (ms: number) => new Date(ms).toUTCString();
const offset = () => clients.offsetMs(NOON + monotonicMs, monotonicMs);

describe('the clocks of clients', () => {
  it('give no offset before a client sent a date', () => {
    expect(offset()).toBeUndefined();
  });

  it('count once for each token, by its latest request', () => {
    for (const token of ['a', 'b', 'c']) clients.hear(token, dateAt(NOON));
    for (let repeat = 0; repeat < 100; repeat++) clients.hear('liar', dateAt(NOON + 8 * DAY));
    expect(offset()).toBe(0);
    clients.hear('d', dateAt(NOON + 8 * DAY));
    expect(offset()).toBe(0);
    clients.hear('c', dateAt(NOON + 8 * DAY));
    expect(offset()).toBe(8 * DAY);
  });

  it('give the offset that half of them reach, on the side of holding, which is safer than ending', () => {
    clients.hear('a', dateAt(NOON));
    clients.hear('b', dateAt(NOON - 8 * DAY));
    expect(offset()).toBe(-8 * DAY);
  });

  it("keep their offsets when the server's own wall clock is set", () => {
    clients.hear('a', dateAt(NOON));
    monotonicMs += 1_000;
    expect(clients.offsetMs(NOON + 8 * DAY + 1_000, monotonicMs)).toBe(-8 * DAY);
  });

  it('are dropped after an hour', () => {
    clients.hear('a', dateAt(NOON + DAY));
    monotonicMs = HOUR - 1;
    expect(offset()).toBe(DAY);
    monotonicMs = HOUR;
    expect(offset()).toBeUndefined();
  });

  it.each([undefined, '', 'yesterday', '2026-11-30T12:00:00Z', '0', 'Mon, 30 Nov 2026 99:99:99 GMT', `${'M'.repeat(100_000)}`])(
    'ignore the date %.40s',
    (date) => {
      clients.hear('a', date);
      expect(offset()).toBeUndefined();
    },
  );

  it('are remembered for the latest thousand tokens', () => {
    clients.hear('first', dateAt(NOON + DAY));
    for (let token = 0; token < 1_000; token++) clients.hear(`token-${token}`, dateAt(NOON));
    expect(offset()).toBe(0);
    for (let token = 0; token < 501; token++) clients.hear(`liar-${token}`, dateAt(NOON + DAY));
    expect(offset()).toBe(DAY);
  });
});
