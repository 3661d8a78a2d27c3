/** How a file is sent. Every strategy is a session and, at the object store, a multipart upload. */
export const STRATEGIES = ['single', 'chunked', 'multipart'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export type Network = 'reliable' | 'unreliable';

/** Decimal, as people and disk vendors count: 100 MB and 1 GB. */
export const SINGLE_BELOW = 100 * 1000 ** 2;
export const MULTIPART_ABOVE = 1000 ** 3;

/**
 * The decision matrix. `single` is one PUT, cheapest, and repeated whole when it breaks; `chunked` sends small parts in
 * order, so that a bad link loses little; `multipart` sends adaptive parallel parts and resumes from any of them.
 *
 * | size            | reliable  | unreliable |
 * |-----------------|-----------|------------|
 * | < 100 MB        | single    | single     |
 * | 100 MB to 1 GB  | single    | chunked    |
 * | > 1 GB          | multipart | multipart  |
 */
export function chooseStrategy(size: number, network: Network): Strategy {
  if (size < SINGLE_BELOW) return 'single';
  if (size > MULTIPART_ABOVE) return 'multipart';
  return network === 'unreliable' ? 'chunked' : 'single';
}
