import { availableParallelism } from 'node:os';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { LongestFirst } from './test/run/longest-first.ts';
import { type ProjectName, sortIntoProjects } from './test/run/projects.ts';

const files = sortIntoProjects(import.meta.dirname);
const cores = availableParallelism();
/** Tests of services mostly wait: for sockets, for clocks, for processes that start. */
const WAITING_WORKERS = 2 * cores;

function project(name: ProjectName, test: TestProjectInlineConfiguration['test']): TestProjectInlineConfiguration {
  return {
    test: {
      name,
      include: files[name],
      // No budgets: a machine may be as slow as it likes.
      testTimeout: 300_000,
      hookTimeout: 300_000,
      expect: { poll: { timeout: 60_000 } },
      // The AWS SDK warns on Node 20; the server sets the same before it makes a client.
      env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
      ...test,
    },
  };
}

export default defineConfig({
  test: {
    globalSetup: ['test/run/set-up.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      project('slow', { maxWorkers: WAITING_WORKERS, isolate: false, sequence: { groupOrder: 0 } }),
      project('real', { maxWorkers: WAITING_WORKERS, isolate: false, sequence: { groupOrder: 0 } }),
      project('pure', { maxWorkers: WAITING_WORKERS, isolate: false, sequence: { groupOrder: 1 } }),
    ],
  },
});
