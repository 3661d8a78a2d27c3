import { openSqliteStore } from '../../src/session-store/sqlite.ts';
import { describeSessionStore } from '../contract/session-store.ts';

describeSessionStore('SQLite in memory', async () => {
  const store = openSqliteStore(':memory:');
  return { store, close: () => store.close() };
});
