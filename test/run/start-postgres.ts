import type { TestProject } from 'vitest/node';
import { findPostgres, startPostgres as start } from '../support/database/postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The PostgreSQL that all test files share, by its superuser's URL, or why there is none. */
    postgres: { readonly url: string } | { readonly missing: string };
  }
}

/** Provides the PostgreSQL of POSTGRES_URL, or starts one for this run. Returns a function that stops it. */
export async function startPostgres({ provide }: Pick<TestProject, 'provide'>): Promise<() => Promise<void>> {
  const given = process.env.POSTGRES_URL;
  if (given) {
    provide('postgres', { url: given });
    return async () => {};
  }
  const binaries = await findPostgres();
  if (binaries === undefined) {
    const missing = 'PostgreSQL is not installed (initdb and postgres), and POSTGRES_URL names none';
    if (process.env.CI) throw new Error(`${missing}: in CI nothing is skipped for it.`);
    provide('postgres', { missing });
    return async () => {};
  }
  const server = await start(binaries);
  provide('postgres', { url: server.url });
  return () => server.stop();
}
