import type { Outbox } from '../port/outbox.ts';
import { toEvent } from '../sql/event-rows.ts';
import { createOutboxQueries } from '../sql/sql-outbox.ts';
import type { SharedRunnables } from '../sql/statements.ts';
import type { PostgresDatabase } from './driver.ts';
import { STATEMENTS } from './statements.ts';

/** Makes the outbox of a PostgreSQL session store. Replicas may lease from it at the same time. */
export function createPostgresOutbox(db: PostgresDatabase, runnables: SharedRunnables): Outbox {
  return {
    ...createOutboxQueries(runnables),

    async lease(at, until, limit) {
      const { rows } = await db.run(STATEMENTS.leaseEvents, { at, until, limit });
      return rows.map(toEvent);
    },

    async markDelivered({ eventId, sequence, session: { sessionId } }, at) {
      await db.transaction(async (transaction) => {
        await transaction.run(STATEMENTS.markEventDelivered, { eventId, at });
        await transaction.run(STATEMENTS.advanceLater, { sessionId, sequence, at });
      });
    },

    async postpone({ eventId, attempts, sequence, session: { sessionId } }, nextAttemptAt, error) {
      await db.transaction(async (transaction) => {
        const postponed = await transaction.run(STATEMENTS.postponeEvent, { eventId, attempts, at: nextAttemptAt, error });
        if (postponed.changes === 0) return;
        await transaction.run(STATEMENTS.postponeLater, { sessionId, sequence, at: nextAttemptAt });
      });
    },

    async markDead({ eventId, attempts, sequence, session: { sessionId } }, at, error) {
      await db.transaction(async (transaction) => {
        const { changes } = await transaction.run(STATEMENTS.markEventDead, { eventId, attempts, at, error });
        if (changes > 0) await transaction.run(STATEMENTS.advanceLater, { sessionId, sequence, at });
      });
    },

    replay(eventId, at) {
      return db.transaction(async (transaction) => {
        await transaction.run(STATEMENTS.replayEvent, { eventId, at });
        const [row] = (await transaction.run(STATEMENTS.findEvent, { eventId })).rows;
        return row && toEvent(row);
      });
    },
  };
}
