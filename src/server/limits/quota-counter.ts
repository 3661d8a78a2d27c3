/** The most that may be in use under a key at once. */
export interface Quota {
  readonly key: string;
  readonly most: number;
}

/**
 * Acquires an amount (connections, streams, bytes; 1 by default) under all keys at once. Returns a function that releases it, of which
 * only the first call counts; or undefined, with nothing acquired, where one of the quotas would be exceeded.
 */
export type Acquire = (quotas: readonly Quota[], amount?: number) => (() => void) | undefined;

/** Counts the use under each key. A key with nothing in use takes no memory. */
export function createQuotaCounter(): Acquire {
  const inUse = new Map<string, number>();

  function change(key: string, by: number): void {
    const amount = (inUse.get(key) ?? 0) + by;
    if (amount === 0) inUse.delete(key);
    else inUse.set(key, amount);
  }

  return function acquire(quotas, amount = 1) {
    if (quotas.some(({ key, most }) => (inUse.get(key) ?? 0) + amount > most)) return undefined;
    for (const { key } of quotas) change(key, amount);
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      for (const { key } of quotas) change(key, -amount);
    };
  };
}
