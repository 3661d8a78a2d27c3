import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Shown by .ci/run: vitest's report leaves out the reason of a skip. */
    skipReason?: string;
  }
}

/** Skips a test that this host cannot run. No test is skipped without a reason. */
export function skipBecause({ task, skip }: Pick<TestContext, 'task' | 'skip'>, reason: string): never {
  task.meta.skipReason = reason;
  return skip(reason);
}
