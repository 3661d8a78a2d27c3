import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { type ClockReport, createExpiryClock, type ExpiryClock } from '../../../src/server/clock/expiry-clock.ts';
import { NOON } from '../../support/database/sessions.ts';
import { FakeObjectStore } from '../../support/store/fake-object-store.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let wallMs: number;
let monotonicMs: number;
let objects: FakeObjectStore;
let logged: { level: string; fields: object; message: string }[];
let reports: ClockReport[];
let clock: ExpiryClock;
beforeEach(() => {
  wallMs = NOON;
  monotonicMs = 0;
  objects = new FakeObjectStore({ now: () => wallMs });
  logged = [];
  reports = [];
  const logAt = (level: string) => (fields: object, message: string) => void logged.push({ level, fields, message });
  clock = createExpiryClock({
    objects,
    now: () => wallMs,
    monotonic: () => monotonicMs,
    holdMs: 5 * 60_000,
    log: { info: logAt('info'), warn: logAt('warn'), error: logAt('error') },
    onLook: (report) => reports.push(report),
  });
  onTestFinished(() => clock.stop());
});

function pass(ms: number): void {
  wallMs += ms;
  monotonicMs += ms;
}

it('says why nothing expires, once, and when things expire again', async () => {
  expect(clock.mayDelete()).toBe(false);
  expect(await clock.mayExpire()).toBe(false);
  pass(60_000);
  expect(await clock.mayExpire()).toBe(false);
  pass(4 * 60_000);
  expect(await clock.mayExpire()).toBe(true);
  expect(clock.mayDelete()).toBe(true);

  expect(logged).toMatchObject([
    { level: 'info', fields: { reason: 'started', holdSeconds: 300, storeOffsetSeconds: 0, clientsOffsetSeconds: null } },
    { level: 'info', message: 'sessions expire again when they are due' },
  ]);
});

it('asks the store each time, and reports the clocks of clients', async () => {
  pass(5 * 60_000);
  expect(await clock.mayExpire()).toBe(true);
  objects.clockOffsetMs = -8 * DAY;
  expect(await clock.mayExpire()).toBe(false);
  objects.clockOffsetMs = 0;
  pass(5 * 60_000);
  clock.hear('tok_1', new Date(wallMs - 8 * DAY).toUTCString());
  expect(await clock.mayExpire()).toBe(false);
  expect(clock.mayDelete()).toBe(false);

  expect(reports.map(({ doubt }) => doubt)).toEqual([undefined, 'store-differs', 'clients-differ']);
  expect(logged.filter(({ level }) => level === 'warn')).toMatchObject([
    {
      fields: { reason: 'store-differs', storeOffsetSeconds: -8 * 86_400 },
      message: expect.stringContaining('PARTWAY_EXPIRY_HOLD'),
    },
    { fields: { reason: 'clients-differ', clientsOffsetSeconds: -8 * 86_400 } },
  ]);
});

it('holds while the store does not answer, and says so', async () => {
  pass(5 * 60_000);
  objects.failNext('readClock', 'unavailable');
  expect(await clock.mayExpire()).toBe(false);
  expect(reports).toMatchObject([{ doubt: 'store-unknown', storeOffsetMs: undefined }]);
  expect(await clock.mayExpire()).toBe(true);
});

it('reports each step, also one that follows another', async () => {
  for (const _ of [1, 2]) {
    wallMs += DAY;
    await clock.mayExpire();
  }
  expect(reports.map(({ isStep }) => isStep)).toEqual([true, true]);
  expect(logged.filter(({ level }) => level === 'warn')).toHaveLength(2);
});
