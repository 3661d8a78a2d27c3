import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { PROJECTS } from './projects.ts';
import seconds from './seconds.json' with { type: 'json' };

const SECONDS: Readonly<Record<string, number>> = seconds;

/**
 * Starts the longest files first, so that none of them runs alone at the end. Vitest knows how long files took in earlier runs on the same
 * host; a fresh clone has only this table. A file that is not in the table takes less time than the shortest one in it. Files of a project
 * stay together, because only they can share a worker.
 */
export class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project }: TestSpecification) => (PROJECTS as readonly string[]).indexOf(project.name);
    const secondsOf = ({ project, moduleId }: TestSpecification) => SECONDS[relative(project.config.root, moduleId)] ?? 0;
    return Promise.resolve(files.toSorted((a, b) => rank(a) - rank(b) || secondsOf(b) - secondsOf(a)));
  }
}
