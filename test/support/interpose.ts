/** Decides what happens to one call: may inspect it, delay it, or make it fail before or after its effect. */
export type Around = (method: string, call: () => Promise<unknown>, args: readonly unknown[]) => Promise<unknown>;

/** Returns the same store with every method call passing through `around`. */
export function interpose<Store extends object>(store: Store, around: Around): Store {
  return new Proxy(store, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => around(String(property), () => value.apply(target, args) as Promise<unknown>, args);
    },
  });
}
