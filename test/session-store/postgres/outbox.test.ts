import { expect, it, onTestFinished } from 'vitest';
import { openPostgresStore } from '../../../src/session-store/postgres/session-store.ts';
import { createTestDatabase, needsPostgres } from '../../support/database/postgres.ts';
import { insertSession, NOON } from '../../support/database/sessions.ts';

const HOUR = 3_600_000;

needsPostgres();

it('a lease skips an event that another server is leasing at the same moment, and does not wait for it', async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  const store = await openPostgresStore(database.url);
  onTestFinished(() => store.close());
  const [taken, free] = [await insertSession(store, { key: 'taken' }), await insertSession(store, { key: 'free' })];
  const other = await database.connect();
  onTestFinished(() => other.end());
  await other.query('BEGIN');
  await other.query('UPDATE events SET next_attempt_at = $1 WHERE session_id = $2', [NOON + HOUR, taken.sessionId]);

  const leased = await store.outbox.lease(NOON, NOON + HOUR, 10);
  await other.query('COMMIT');

  expect(leased.map(({ session }) => session.sessionId)).toStrictEqual([free.sessionId]);
  expect(await store.outbox.lease(NOON, NOON + HOUR, 10)).toStrictEqual([]);
});
