import type { TestProject } from 'vitest/node';
import { startMinio } from './start-minio.ts';
import { startPostgres } from './start-postgres.ts';
import { useTemporaryFolder } from './temporary-folder.ts';

/** Vitest's global set-up, once for all projects: the temporary folder and, unless only pure tests run, the services. */
export default async function setUp(root: TestProject): Promise<() => Promise<void>> {
  const tearDowns: (() => void | Promise<void>)[] = [useTemporaryFolder()];
  const tearDown = async () => {
    for (const each of tearDowns.reverse()) await each();
  };
  try {
    if (root.vitest.projects.some(({ name }) => name !== 'pure')) {
      tearDowns.push(await startMinio(root), await startPostgres(root));
    }
  } catch (error) {
    await tearDown();
    throw error;
  }
  return tearDown;
}
