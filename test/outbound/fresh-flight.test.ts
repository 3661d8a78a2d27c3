import { describe, expect, it } from 'vitest';
import { createFreshFlight } from '../../src/outbound/fresh-flight.ts';

/** Requests that end when the test says so. */
function someWork() {
  const begun: { end(answer: number): void; fail(): void }[] = [];
  const work = () =>
    new Promise<number>((resolve, reject) => {
      begun.push({ end: resolve, fail: () => reject(new Error('lost')) });
    });
  return { begun, work };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('a fresh flight', () => {
  it('is shared by callers that come at the same moment', async () => {
    const { begun, work } = someWork();
    const flight = createFreshFlight<number>();
    const answers = [flight.run('parts', work), flight.run('parts', work), flight.run('parts', work)];
    await settle();
    expect(begun).toHaveLength(1);
    begun[0]?.end(7);
    expect(await Promise.all(answers)).toEqual([7, 7, 7]);
  });

  it('gives callers that come while a request is in progress the next request, which they share', async () => {
    const { begun, work } = someWork();
    const flight = createFreshFlight<number>();
    const first = flight.run('parts', work);
    await settle();
    const later = [flight.run('parts', work), flight.run('parts', work)];
    await settle();
    expect(begun).toHaveLength(1);
    begun[0]?.end(1);
    expect(await first).toBe(1);
    await settle();
    expect(begun).toHaveLength(2);
    begun[1]?.end(2);
    expect(await Promise.all(later)).toEqual([2, 2]);
  });

  it('goes on after a failed request, whose error only its own callers get', async () => {
    const { begun, work } = someWork();
    const flight = createFreshFlight<number>();
    const first = flight.run('parts', work);
    const seen = expect(first).rejects.toThrow('lost');
    await settle();
    const later = flight.run('parts', work);
    begun[0]?.fail();
    await seen;
    await settle();
    begun[1]?.end(2);
    expect(await later).toBe(2);
  });

  it('under another name is a separate one', async () => {
    const { begun, work } = someWork();
    const flight = createFreshFlight<number>();
    void flight.run('a', work);
    void flight.run('b', work);
    await settle();
    expect(begun).toHaveLength(2);
  });
});
