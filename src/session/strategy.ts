/** Ways to send a file. Every strategy uses a session and, at the object store, a multipart upload. */
export const STRATEGIES = ['single', 'chunked', 'multipart'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export type Network = 'reliable' | 'unreliable';

/** Decimal units, as on disk labels: 100 MB and 1 GB. */
export const SINGLE_BELOW = 100 * 1000 ** 2;
export const MULTIPART_ABOVE = 1000 ** 3;

/**
 * Chooses a strategy by size and network. `single` is one PUT: cheapest, but sent again from the start when it breaks. `chunked` sends
 * small parts in order, so that a bad link loses little. `multipart` sends parts in parallel and resumes from any of them.
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
