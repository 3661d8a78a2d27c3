import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUnchanged, vouches } from '../../../src/client/source/identity.ts';
import { Readings } from '../../../src/client/source/readings.ts';

const IDENTITY = { size: 700, mtimeMs: 1_000.5, ctimeNs: '1796049667480858125', device: 7, inode: 4711 };

describe('an identity', () => {
  it('vouches for what was read before while nothing of it differs', () => {
    expect(vouches(IDENTITY, { ...IDENTITY })).toBe(true);
  });

  it.each(['size', 'mtimeMs', 'device', 'inode'] as const)('does not vouch when the %s differs', (field) => {
    expect(vouches(IDENTITY, { ...IDENTITY, [field]: 1 })).toBe(false);
    expect(isUnchanged(IDENTITY, { ...IDENTITY, [field]: 1 })).toBe(false);
  });

  it('does not vouch when only the change time differs, by one nanosecond: size and modification time can be put back', () => {
    expect(vouches(IDENTITY, { ...IDENTITY, ctimeNs: '1796049667480858126' })).toBe(false);
  });

  it('without a change time vouches for nothing, however it looks', () => {
    const { ctimeNs: _, ...without } = IDENTITY;
    expect(vouches(without, without)).toBe(false);
    expect(vouches(without, IDENTITY)).toBe(false);
    expect(vouches(IDENTITY, without)).toBe(false);
    expect(isUnchanged(without, without)).toBe(true);
    expect(isUnchanged(IDENTITY, without)).toBe(false);
  });
});

describe('readings', () => {
  it('count until the source may have changed, and are to be repeated then: of stored parts that were read', () => {
    const readings = new Readings(new Map([[1, 'a']]));
    readings.startRound([1, 2, 5]);
    readings.record(2, 'b', readings.epoch);
    expect([...readings.stale()]).toEqual([]);
    readings.beginEpoch();
    // Nothing has read 5 yet, and 3 and 4 are not stored.
    expect([...readings.stale()]).toEqual([1, 2]);
    expect(readings.current).toEqual(new Map());
    readings.record(1, 'a', readings.epoch);
    expect([...readings.stale()]).toEqual([2]);
    expect(readings.current).toEqual(new Map([[1, 'a']]));
  });

  it('do not count for the epoch in which they ended, but for the one in which they began', () => {
    const readings = new Readings();
    const { epoch } = readings;
    readings.beginEpoch();
    readings.record(1, 'a', epoch);
    readings.markStored(1);
    expect([...readings.stale()]).toEqual([1]);
    // One of before that takes longer takes nothing away from a newer one.
    readings.record(1, 'a', readings.epoch);
    readings.record(1, 'a', epoch);
    expect([...readings.stale()]).toEqual([]);
  });

  it('that contradict each other are refused, and the first one stays', () => {
    const readings = new Readings(new Map([[1, 'a']]));
    expect(readings.record(1, 'b', readings.epoch)).toBe(false);
    expect(readings.checksums).toEqual(new Map([[1, 'a']]));
  });

  it('of parts that the store lost are not to be repeated: these parts are sent again', () => {
    const readings = new Readings(new Map([[1, 'a']]));
    readings.startRound([1]);
    readings.beginEpoch();
    readings.startRound([]);
    expect([...readings.stale()]).toEqual([]);
  });
});

/**
 * The reason for all this: whatever order sending, comparing and changes take, an upload that is allowed to complete has the bytes
 * that the file had at one moment. A file here is a number for each part, which only grows. `seen` is a change that its times tell.
 */
it('whatever changes and whenever, what completes is the file of one moment', async () => {
  const PARTS = [1, 2, 3, 4];
  const part = fc.constantFrom(...PARTS);
  const step = fc.oneof(
    fc.record({ what: fc.constantFrom('change' as const, 'send' as const), part }),
    fc.record({ what: fc.constantFrom('look' as const, 'compare' as const), part: fc.constant(0) }),
  );
  let completed = 0;
  await fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, seen) => {
      const file = new Map(PARTS.map((number) => [number, 0]));
      const contents = () => JSON.stringify([...file.values()]);
      const moments = [contents()];
      const sent = new Map<number, string>();
      const readings = new Readings();
      let isChanged = false;
      const look = () => {
        if (isChanged && seen) readings.beginEpoch();
        isChanged = false;
      };
      const read = (number: number) => readings.record(number, String(file.get(number)), readings.epoch);
      /** False where the upload ends with SOURCE_CHANGED. */
      const take = ({ what, part: number }: { what: 'change' | 'send' | 'look' | 'compare'; part: number }): boolean => {
        if (what === 'look') look();
        if (what === 'change') {
          file.set(number, (file.get(number) ?? 0) + 1);
          moments.push(contents());
          isChanged = true;
        }
        if (what === 'send' && !sent.has(number)) {
          sent.set(number, String(file.get(number)));
          readings.markStored(number);
          return read(number);
        }
        const [stale] = readings.stale();
        return what !== 'compare' || stale === undefined || read(stale);
      };
      if (!steps.every(take) || !PARTS.every((number) => take({ what: 'send', part: number }))) return;
      if (!seen) readings.beginEpoch();
      look();
      for (const number of readings.stale()) if (!read(number)) return;
      completed += 1;
      expect(moments).toContain(JSON.stringify(PARTS.map((number) => Number(sent.get(number)))));
    }),
    { numRuns: 2_000 },
  );
  expect(completed).toBeGreaterThan(100);
});
