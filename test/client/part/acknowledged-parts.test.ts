import { describe, expect, it } from 'vitest';
import { createAcknowledgedParts } from '../../../src/client/part/acknowledged-parts.ts';
import type { PartsResponse, WireStoredPart } from '../../../src/contract/wire.ts';
import { MiB, planParts } from '../../../src/session/part-plan.ts';
import { missingRanges } from '../../../src/session/part-ranges.ts';

const PART = 5 * MiB;
/** Many enough for a look at the store after the first. */
const COUNT = 8;
const SIZE = COUNT * PART;
const CRC = 'AAAAAA==';

function aPart(partNumber: number, changes: Partial<WireStoredPart> = {}): WireStoredPart {
  return { partNumber, etag: `"${partNumber}"`, checksum: CRC, size: PART, ...changes };
}

function aListing(parts: WireStoredPart[], unproven: WireStoredPart[] = [], generation = 1): PartsResponse {
  const missing = missingRanges(
    COUNT,
    parts.map(({ partNumber }) => partNumber),
  );
  return { sessionId: 's', status: 'open', storedBytes: 0, parts, missing, unproven, generation };
}

/** A run that was told that `acknowledged` are stored, on a store whose lists say this, one after the other; the last again and again. */
async function aRun(acknowledged: readonly number[], listings: readonly PartsResponse[]) {
  let asked = 0;
  const run = createAcknowledgedParts({
    plan: planParts(SIZE, 'multipart', PART),
    size: SIZE,
    list: async () => listings[Math.min(asked++, listings.length - 1)] as PartsResponse,
    signal: new AbortController().signal,
    lagWaitsMs: [0, 0],
  });
  await run.listing();
  for (const partNumber of acknowledged) run.stored({ partNumber, etag: `"${partNumber}"`, checksum: CRC, size: PART });
  return { run, asked: () => asked };
}

const EMPTY = aListing([]);

describe('a part that the store acknowledged and then lists', () => {
  it.each([
    ['without its CRC32', { checksum: null }, 'does not show its CRC32'],
    ['with another size', { size: PART - 1 }, `lists it with ${PART - 1}`],
    ['without the quotes of its ETag and without its CRC32', { etag: '2', checksum: null }, 'does not show its CRC32'],
    ['as it was sent, though the server does not take it', {}, 'does not accept it as planned'],
  ])('%s is not sent again: the run ends and says what is missing', async (_, changes, lack) => {
    const { run } = await aRun([2], [EMPTY, aListing([], [aPart(2, changes)])]);
    await expect(run.listing()).rejects.toMatchObject({ code: 'STORE_UNSUITABLE', message: expect.stringContaining(lack) });
  });

  it('without its CRC32, and with another ETag, was replaced: it is sent again, once', async () => {
    const { run } = await aRun([2], [EMPTY, aListing([], [aPart(2, { etag: '"other"', checksum: null })])]);
    expect((await run.listing()).missing).toEqual([{ first: 1, last: COUNT }]);
    run.stored({ ...aPart(2), checksum: CRC });
    await expect(run.listing()).rejects.toMatchObject({ code: 'STORE_UNSUITABLE' });
  });

  it('late is waited for and not sent again', async () => {
    const { run } = await aRun([1, 2, 3], [EMPTY, EMPTY, aListing([aPart(1)]), aListing([aPart(1), aPart(2), aPart(3)])]);
    expect((await run.listing()).missing).toEqual([{ first: 4, last: COUNT }]);
  });
});

describe('a part that the store acknowledged and does not list', () => {
  it('is sent again once, and not a second time', async () => {
    const { run } = await aRun([1], [EMPTY]);
    expect((await run.listing()).missing).toEqual([{ first: 1, last: COUNT }]);
    run.stored({ ...aPart(1), checksum: CRC });
    await expect(run.listing()).rejects.toMatchObject({
      code: 'STORE_UNSUITABLE',
      message: expect.stringContaining('acknowledged part 1 again and again, and does not list it'),
    });
  });

  it('is sent again after each outage: what came back may have lost it', async () => {
    const { run } = await aRun([1], [EMPTY]);
    for (let outage = 0; outage < 3; outage++) {
      run.excuse();
      await run.listing();
      run.stored({ ...aPart(1), checksum: CRC });
    }
  });

  it('is sent again at once where the multipart upload itself is another one', async () => {
    const { run, asked } = await aRun([1], [EMPTY, aListing([], [], 2)]);
    await run.listing();
    expect(asked()).toBe(2);
  });
});

describe('the look at the store after the first part', () => {
  it('ends the run where the store does not show a CRC32', async () => {
    const { run } = await aRun([1], [EMPTY, aListing([], [aPart(1, { checksum: null })])]);
    await expect(run.checkStore()).rejects.toMatchObject({ code: 'STORE_UNSUITABLE' });
  });

  it('is had once, and not at all where the store has shown a CRC32 before', async () => {
    const fresh = await aRun([1], [EMPTY, aListing([aPart(1)])]);
    await fresh.run.checkStore();
    await fresh.run.checkStore();
    expect(fresh.asked()).toBe(2);
    const resumed = await aRun([2], [aListing([aPart(1)])]);
    await resumed.run.checkStore();
    expect(resumed.asked()).toBe(1);
  });

  it('concludes nothing from a list that lags behind', async () => {
    const { run } = await aRun([1], [EMPTY]);
    await run.checkStore();
  });

  it('is of no use with a server that is older than what it looks for, and does no harm', async () => {
    const { unproven: _, generation: __, ...older } = EMPTY;
    const { run } = await aRun([1], [older as PartsResponse]);
    await run.checkStore();
    expect((await run.listing()).missing).toEqual([{ first: 1, last: COUNT }]);
  });
});
