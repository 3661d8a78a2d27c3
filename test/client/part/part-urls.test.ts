import { describe, expect, it } from 'vitest';
import { createPresignQueue } from '../../../src/client/part/part-urls.ts';
import { MAX_PRESIGN_BATCH } from '../../../src/contract/paths.ts';
import type { PresignedPart } from '../../../src/contract/wire.ts';

function aPresignedPart(partNumber: number, checksum: string): PresignedPart {
  const url = `http://store.test/part-${partNumber}?checksum=${checksum}`;
  return { partNumber, method: 'PUT', url, headers: {}, start: 0, end: 1, expiresAt: '2026-11-23T12:00:00.000Z' };
}

/** A server that answers when the test says so. */
function aSlowSigner() {
  const batches: { checksums: ReadonlyMap<number, string>; answer(): void; fail(error: Error): void }[] = [];
  const queue = createPresignQueue(
    (checksums) =>
      new Promise((resolve, reject) => {
        const parts = [...checksums].map(([partNumber, checksum]) => aPresignedPart(partNumber, checksum));
        batches.push({ checksums, answer: () => resolve(parts), fail: reject });
      }),
  );
  const numbersOf = (batch: number) => [...(batches[batch]?.checksums.keys() ?? [])];
  return { queue, batches, numbersOf };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the presign queue', () => {
  it('asks for the first part at once, and for all parts that come meanwhile together', async () => {
    const { queue, batches, numbersOf } = aSlowSigner();
    const first = queue.sign(1, 'a');
    expect(numbersOf(0)).toEqual([1]);
    const others = [queue.sign(7, 'b'), queue.sign(3, 'c'), queue.sign(5, 'd')];
    await turn();
    expect(batches.length).toBe(1);
    batches[0]?.answer();
    expect((await first).url).toContain('part-1?checksum=a');
    await turn();
    expect(numbersOf(1)).toEqual([7, 3, 5]);
    batches[1]?.answer();
    const urls = (await Promise.all(others)).map(({ partNumber, url }) => [partNumber, url.split('=')[1]]);
    expect(urls).toEqual([
      [7, 'b'],
      [3, 'c'],
      [5, 'd'],
    ]);
  });

  it('asks for no more at a time than the server takes', async () => {
    const { queue, batches, numbersOf } = aSlowSigner();
    const signs = Array.from({ length: MAX_PRESIGN_BATCH + 2 }, (_, index) => queue.sign(index + 1, 'x'));
    for (let batch = 0; batch < 3; batch++) {
      batches[batch]?.answer();
      await turn();
    }
    await Promise.all(signs);
    expect(batches.map((_, index) => numbersOf(index).length)).toEqual([1, MAX_PRESIGN_BATCH, 1]);
  });

  it('fails only the parts of a batch that failed, and goes on with the next batch', async () => {
    const { queue, batches } = aSlowSigner();
    const first = queue.sign(1, 'a');
    const second = queue.sign(2, 'b');
    const failure = new Error('not this one');
    batches[0]?.fail(failure);
    await expect(first).rejects.toBe(failure);
    await turn();
    batches[1]?.answer();
    expect((await second).partNumber).toBe(2);
  });

  it('still works after a failure while no other part waits', async () => {
    const { queue, batches } = aSlowSigner();
    const first = queue.sign(1, 'a');
    batches[0]?.fail(new Error('down'));
    await expect(first).rejects.toThrow('down');
    await turn();
    const again = queue.sign(1, 'a');
    batches[1]?.answer();
    expect((await again).partNumber).toBe(1);
  });

  it('fails the part that the server left out, and only that one', async () => {
    const queue = createPresignQueue(async (checksums) =>
      [...checksums]
        .filter(([partNumber]) => partNumber !== 2)
        .map(([partNumber, checksum]) => aPresignedPart(partNumber, checksum)),
    );
    const outcomes = await Promise.allSettled([queue.sign(1, 'a'), queue.sign(2, 'b'), queue.sign(3, 'c')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});
