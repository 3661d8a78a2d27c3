import { afterAll } from 'vitest';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { describeSessionStore } from '../../suites/session-store.ts';
import { createTestDatabase, needsPostgres, type TestDatabase } from '../../support/database/postgres.ts';

needsPostgres();

let database: TestDatabase | undefined;
afterAll(() => database?.drop());

describeSessionStore('PostgreSQL', async () => {
  database ??= await createTestDatabase();
  const { url, clear } = database;
  const store = await openPostgresStore(url);
  return {
    store,
    async close() {
      await store.close();
      await clear();
    },
  };
});
