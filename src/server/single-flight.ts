/** Callers that ask for the same thing while it is being done share one execution and its outcome. */
export function createSingleFlight<Result>() {
  const running = new Map<string, Promise<Result>>();
  return {
    run(name: string, work: () => Promise<Result>): Promise<Result> {
      const shared = running.get(name);
      if (shared !== undefined) return shared;
      const execution = work().finally(() => running.delete(name));
      running.set(name, execution);
      return execution;
    },
  };
}
