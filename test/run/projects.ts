import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';

export const PROJECTS = ['slow', 'real', 'pure'] as const;
export type ProjectName = (typeof PROJECTS)[number];

/** Whole uploads by separate processes, and random schedules of faults. */
const SLOW_FOLDERS = ['test/e2e', 'test/model'];

/** Real database files that are synced, locked, moved and filled, and real sockets that are kept waiting. */
const REAL_FOLDERS = ['test/session-store', 'test/server/http', 'test/server/limits', 'test/server/audit'];

/** A test file that imports one of these modules, directly or not, needs MinIO, PostgreSQL or the build. */
const SERVICES = [
  'src/dev/minio/minio',
  'test/support/store/minio',
  'test/support/database/postgres',
  'test/support/database/postgres-server',
  'test/support/server/control-plane-process',
  'test/support/client/partway-cli',
];

/** Sorts the test files into projects. Folders and imports decide, so there is no list to keep. */
export function sortIntoProjects(root: string): Record<ProjectName, string[]> {
  const files: Record<ProjectName, string[]> = { slow: [], real: [], pure: [] };
  const importsOf = createImportReader();
  const services = SERVICES.map((module) => resolve(root, `${module}.ts`));
  // Otherwise a moved file or folder would silently put tests into another project.
  for (const path of [...SLOW_FOLDERS, ...REAL_FOLDERS, ...services]) {
    if (!existsSync(resolve(root, path))) throw new Error(`test/run/projects.ts names ${path}, which is not there`);
  }
  for (const file of testFilesIn(root)) files[projectOf(file)].push(file);
  return files;

  function projectOf(file: string): ProjectName {
    if (isBelow(SLOW_FOLDERS, file)) return 'slow';
    return isBelow(REAL_FOLDERS, file) || needsServices(file) ? 'real' : 'pure';
  }

  function needsServices(file: string): boolean {
    const reached = new Set([resolve(root, file)]);
    // The iteration over a set includes the elements that are added meanwhile.
    for (const each of reached) for (const imported of importsOf(each)) reached.add(imported);
    return services.some((module) => reached.has(module));
  }
}

function testFilesIn(root: string): string[] {
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.test.ts')).map((file) => `test/${file.replaceAll(sep, '/')}`);
}

function isBelow(folders: readonly string[], file: string): boolean {
  return folders.some((folder) => file.startsWith(`${folder}/`));
}

/** Imports of our own modules, except imports of only types. */
const IMPORT =
  /^(?:import|export)\s(?!type\b)[^;]*?from\s+'(\.[^']+\.ts)'|^import\s+'(\.[^']+\.ts)'|\bimport\('(\.[^']+\.ts)'\)/gm;

function createImportReader(): (file: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (file) => {
    const imports = known.get(file) ?? readImports(file);
    known.set(file, imports);
    return imports;
  };
}

function readImports(file: string): string[] {
  const matches = [...readFileSync(file, 'utf8').matchAll(IMPORT)];
  return matches.map(([, ...paths]) => resolve(dirname(file), paths.find((path) => path !== undefined) ?? '')).filter(existsSync);
}
