/**
 * One request at a time under a name. A caller that comes while one is under way shares the next one with all others that come
 * meanwhile: no caller is given an answer that was asked for before it came.
 */
export function createFreshFlight<Result>() {
  const running = new Map<string, Promise<Result>>();
  const next = new Map<string, Promise<Result>>();

  /** Begins one step later even where nothing is under way, so that callers of the same moment share the request. */
  async function startAfter(before: Promise<Result> | undefined, name: string, work: () => Promise<Result>): Promise<Result> {
    await before?.catch(() => {});
    next.delete(name);
    const execution = work().finally(() => running.delete(name));
    running.set(name, execution);
    return execution;
  }

  return {
    run(name: string, work: () => Promise<Result>): Promise<Result> {
      const shared = next.get(name);
      if (shared !== undefined) return shared;
      const following = startAfter(running.get(name), name, work);
      next.set(name, following);
      return following;
    },
  };
}
