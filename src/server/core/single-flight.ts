import type { Instant } from '../../session/session.ts';

export interface SingleFlight<Result> {
  run(name: string, question: string, work: () => Promise<Result>): Promise<Result>;
}

/**
 * Runs one execution at a time under a name. Callers with the same question share the running execution and its outcome; a caller
 * with another question waits until that has ended, then asks its own.
 */
export function createSingleFlight<Result>(): SingleFlight<Result> {
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

/** Shares the outcome of an execution with all callers that arrive within `forMs` of its start, so an answer may be that old. */
export function createSharedFlight<Result>(forMs: number) {
  const recent = new Map<string, Promise<Result>>();
  return {
    run(name: string, work: () => Promise<Result>): Promise<Result> {
      const shared = recent.get(name);
      if (shared !== undefined) return shared;
      const execution = work();
      recent.set(name, execution);
      setTimeout(() => recent.delete(name), forMs).unref();
      return execution;
    },
  };
}

/** Shares one answer among all callers that ask while it is being found, and keeps it for `forMs` after that. Failures are not kept. */
export function createKeptAnswer<Answer>(forMs: number, now: () => Instant) {
  const flights = createSingleFlight<Answer>();
  let kept: { readonly answer: Answer; readonly at: Instant } | undefined;
  return {
    async get(ask: () => Promise<Answer>): Promise<Answer> {
      // A clock that was set back must not keep an answer for longer.
      if (kept !== undefined && Math.abs(now() - kept.at) < forMs) return kept.answer;
      return flights.run('answer', '', async () => {
        const answer = await ask();
        kept = { answer, at: now() };
        return answer;
      });
    },
  };
}
