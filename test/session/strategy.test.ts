import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseStrategy, MULTIPART_ABOVE, type Network, SINGLE_BELOW, type Strategy } from '../../src/session/strategy.ts';

const MB = 1_000_000;
const GB = 1_000_000_000;

describe('the strategy', () => {
  it.each<[size: number, network: Network, strategy: Strategy]>([
    [0, 'reliable', 'single'],
    [0, 'unreliable', 'single'],
    [1, 'unreliable', 'single'],
    [100 * MB - 1, 'reliable', 'single'],
    [100 * MB - 1, 'unreliable', 'single'],
    [100 * MB, 'reliable', 'single'],
    [100 * MB, 'unreliable', 'chunked'],
    [100 * MB + 1, 'unreliable', 'chunked'],
    [GB - 1, 'reliable', 'single'],
    [GB - 1, 'unreliable', 'chunked'],
    [GB, 'reliable', 'single'],
    [GB, 'unreliable', 'chunked'],
    [GB + 1, 'reliable', 'multipart'],
    [GB + 1, 'unreliable', 'multipart'],
    [5 * 1024 ** 4, 'reliable', 'multipart'],
  ])('for %d bytes over a %s network is %s', (size, network, strategy) => {
    expect(chooseStrategy(size, network)).toBe(strategy);
  });

  it('counts MB and GB as disk vendors do', () => {
    expect([SINGLE_BELOW, MULTIPART_ABOVE]).toEqual([100 * MB, GB]);
  });

  it('asks for the network only between 100 MB and 1 GB', () => {
    const outside = fc.oneof(fc.integer({ min: 0, max: 100 * MB - 1 }), fc.integer({ min: GB + 1, max: 5 * 1024 ** 4 }));
    fc.assert(
      fc.property(outside, (size) => chooseStrategy(size, 'reliable') === chooseStrategy(size, 'unreliable')),
      { seed: 20261123 },
    );
  });
});
