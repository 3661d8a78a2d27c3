/**
 * One execution at a time under a name. Callers with the same question share the running one and its outcome; those with
 * another question wait until it is over, and then ask theirs.
 */
export function createSingleFlight<Result>() {
  const running = new Map<string, { readonly question: string; readonly execution: Promise<Result> }>();
  return {
    async run(name: string, question: string, work: () => Promise<Result>): Promise<Result> {
      for (let current = running.get(name); current !== undefined; current = running.get(name)) {
        if (current.question === question) return current.execution;
        await current.execution.catch(() => {});
      }
      const execution = work().finally(() => running.delete(name));
      running.set(name, { question, execution });
      return execution;
    },
  };
}
