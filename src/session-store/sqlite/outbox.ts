import type { WebhookEvent } from '../../session/webhook-event.ts';
import type { Outbox } from '../port/outbox.ts';
import { toEvent } from '../sql/event-rows.ts';
import { createOutboxQueries } from '../sql/sql-outbox.ts';
import type { SharedRunnables } from '../sql/statements.ts';
import type { SqliteDatabase } from './driver.ts';
import type { Statements } from './statements.ts';

/** Makes the outbox of a SQLite session store, on its database and its statements. */
export function createSqliteOutbox(db: SqliteDatabase, statements: Statements, runnables: SharedRunnables): Outbox {
  const transact = <Result>(work: () => Result): Result => db.transaction(work).immediate();

  return {
    ...createOutboxQueries(runnables),

    async lease(at, until, limit) {
      // Called again and again, mostly in vain, so the write lock is only taken if there is something to write.
      if (statements.dueEvents.get({ at, limit: 1 }) === undefined) return [];
      return transact(() =>
        statements.dueEvents.all({ at, limit }).map((row): WebhookEvent => {
          statements.leaseEvent.run({ eventId: row.event_id, until });
          return toEvent({ ...row, attempts: row.attempts + 1, next_attempt_at: until });
        }),
      );
    },

    async markDelivered({ eventId, sequence, session: { sessionId } }, at) {
      transact(() => {
        statements.markEventDelivered.run({ eventId, at });
        statements.advanceLater.run({ sessionId, sequence, at });
      });
    },

    async postpone({ eventId, attempts, sequence, session: { sessionId } }, nextAttemptAt, error) {
      transact(() => {
        if (statements.postponeEvent.run({ eventId, attempts, at: nextAttemptAt, error }).changes === 0) return;
        statements.postponeLater.run({ sessionId, sequence, at: nextAttemptAt });
      });
    },

    async markDead({ eventId, attempts, sequence, session: { sessionId } }, at, error) {
      transact(() => {
        if (statements.markEventDead.run({ eventId, attempts, at, error }).changes === 0) return;
        statements.advanceLater.run({ sessionId, sequence, at });
      });
    },

    async replay(eventId, at) {
      return transact(() => {
        statements.replayEvent.run({ eventId, at });
        const row = statements.findEvent.get({ eventId });
        return row && toEvent(row);
      });
    },
  };
}
