export interface Claim {
  readonly key: string;
  /** As much as may be held under the key at once. */
  readonly most: number;
}

/**
 * Counts what is held under keys, such as places and bytes, and keeps nothing of keys under which nothing is.
 * Takes the amount under all of the keys and returns what gives it back, once; undefined, with nothing taken, where it is too much.
 */
export type Take = (claims: readonly Claim[], amount?: number) => (() => void) | undefined;

export function createHoldings(): Take {
  const held = new Map<string, number>();

  function change(key: string, by: number): void {
    const left = (held.get(key) ?? 0) + by;
    if (left === 0) held.delete(key);
    else held.set(key, left);
  }

  return function take(claims, amount = 1) {
    if (claims.some(({ key, most }) => (held.get(key) ?? 0) + amount > most)) return undefined;
    for (const { key } of claims) change(key, amount);
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      for (const { key } of claims) change(key, -amount);
    };
  };
}
