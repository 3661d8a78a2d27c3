import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Shown by .ci/run: vitest's report leaves out the reason of a skip. */
    skipReason?: string;
  }
}

/** For a test that this machine cannot run. Nothing is skipped without saying why. */
export function skipBecause({ task, skip }: Pick<TestContext, 'task' | 'skip'>, reason: string): never {
  task.meta.skipReason = reason;
  return skip(reason);
}
