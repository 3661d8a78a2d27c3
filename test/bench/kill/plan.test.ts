import { expect, it } from 'vitest';
import { MODES, planStrikes, planUpload } from './plan.ts';

const MINUTES = 5 * 60_000;

it.each(MODES)('%s: the seed decides which server is killed when, and what is uploaded', (mode) => {
  expect(planStrikes(mode, 7, MINUTES)).toStrictEqual(planStrikes(mode, 7, MINUTES));
  expect(planStrikes(mode, 7, MINUTES)).not.toStrictEqual(planStrikes(mode, 8, MINUTES));
  expect(planUpload(mode, 7, 3, 1)).toStrictEqual(planUpload(mode, 7, 3, 1));
});

it.each(MODES)('%s: every server is killed, alone and with another one, for 1 to 8 s, before the end', (mode) => {
  const strikes = planStrikes(mode, 1, MINUTES);
  const groups = new Set(strikes.map(({ victims }) => victims.length));
  expect(groups).toStrictEqual(new Set([1, 2]));
  for (const { atMs, victims } of strikes) {
    expect(atMs).toBeLessThan(MINUTES);
    for (const { downMs } of victims) {
      expect(downMs).toBeGreaterThanOrEqual(1_000);
      expect(downMs).toBeLessThanOrEqual(8_000);
    }
  }
  const everyServer = mode === 'replicas' ? ['database', 'replica 1', 'replica 2'] : ['MinIO', 'control plane'];
  const killed = new Set(strikes.flatMap(({ victims }) => victims.map(({ victim }) => victim)));
  expect([...killed].sort()).toStrictEqual(everyServer);
});

it('no two uploads have the same name, and nearly all differ in size', () => {
  const uploads = Array.from({ length: 500 }, (_, index) => planUpload('single', 1, index % 50, Math.floor(index / 50)));
  expect(new Set(uploads.map(({ fileName }) => fileName)).size).toBe(500);
  expect(new Set(uploads.map(({ size }) => size)).size).toBeGreaterThan(495);
});
