import type { TestProject } from 'vitest/node';
import { findPostgres, startPostgres } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The PostgreSQL that all test files share, by its superuser's URL, or why there is none. */
    postgres: { readonly url: string } | { readonly missing: string };
  }
}

/** Vitest's global setup: the PostgreSQL of POSTGRES_URL, or one for this run. */
export default async function setup({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.POSTGRES_URL;
  if (given) {
    provide('postgres', { url: given });
    return undefined;
  }
  const binaries = await findPostgres();
  if (binaries === undefined) {
    const missing = 'PostgreSQL is not installed (initdb and postgres), and POSTGRES_URL names none';
    if (process.env.CI) throw new Error(`${missing}: in CI nothing is skipped for it.`);
    provide('postgres', { missing });
    return undefined;
  }
  const server = await startPostgres(binaries);
  provide('postgres', { url: server.url });
  return () => server.stop();
}
