import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus } from '../../session/upload-event.ts';
import { type Backlog, type ClaimedEvent, NO_BACKLOG, type Outbox } from '../port/outbox.ts';
import { type EventRow, toEvent } from '../sql/event-rows.ts';
import {
  backlogSql,
  EVENT_COLUMNS,
  EVENT_SQL,
  EVENTS_START,
  FORGET,
  GIVE_UP,
  LATER,
  MARK_DELIVERED,
  NEWEST_FIRST,
  NO_EARLIER_PENDING,
  POSTPONE,
  REPLAY_DEAD,
  REPLAY_ONE,
} from '../sql/event-statements.ts';
import type { PostgresDatabase } from './driver.ts';
import { statement, unpreparedStatement } from './statement.ts';

type Position = { readonly createdAt: Instant; readonly eventId: string; readonly limit: number };
type Claim = Pick<ClaimedEvent, 'eventId' | 'attempts'>;
type Later = { readonly sessionId: string; readonly sequence: number; readonly at: Instant };

export const OUTBOX_STATEMENTS = {
  // Who claims at the same time takes others: none waits for a row that another one is just taking.
  claimEvents: statement<{ at: Instant; until: Instant; limit: number }, EventRow>(`
    WITH due AS MATERIALIZED (
      SELECT e.event_id FROM events e
      WHERE e.status = 'pending' AND e.next_attempt_at <= @at AND ${NO_EARLIER_PENDING}
      ORDER BY e.next_attempt_at LIMIT @limit FOR UPDATE OF e SKIP LOCKED),
    claimed AS (
      UPDATE events SET attempts = attempts + 1, next_attempt_at = @until
      FROM due WHERE events.event_id = due.event_id RETURNING events.*)
    SELECT ${EVENT_COLUMNS} FROM claimed e JOIN upload_sessions s ON s.session_id = e.session_id`),
  markEventDelivered: statement<{ eventId: string; at: Instant }>(MARK_DELIVERED),
  postponeEvent: statement<Claim & { at: Instant; error: string }>(POSTPONE),
  giveEventUp: statement<Claim & { at: Instant; error: string }>(GIVE_UP),
  // What has to wait for another one is not due before it: thousands that wait would be looked at again and again.
  postponeLater: statement<Later>(`UPDATE events SET next_attempt_at = GREATEST(next_attempt_at, @at) WHERE ${LATER}`),
  advanceLater: statement<Later>(`UPDATE events SET next_attempt_at = LEAST(next_attempt_at, @at) WHERE ${LATER}`),

  countBacklog: statement<object, Backlog>(backlogSql('events')),
  listEvents: statement<Position, EventRow>(`${EVENT_SQL} WHERE ${NEWEST_FIRST}`),
  // Many are delivered, and few are anything else.
  listEventsInStatus: unpreparedStatement<Position & { status: DeliveryStatus }, EventRow>(
    `${EVENT_SQL} WHERE e.status = @status AND ${NEWEST_FIRST}`,
  ),
  eventsOfSession: statement<{ sessionId: string }, EventRow>(`${EVENT_SQL} WHERE e.session_id = @sessionId ORDER BY e.sequence`),
  findEvent: statement<{ eventId: string }, EventRow>(`${EVENT_SQL} WHERE e.event_id = @eventId`),
  replayEvent: statement<{ eventId: string; at: Instant }>(REPLAY_ONE),
  replayDeadEvents: statement<{ at: Instant }>(REPLAY_DEAD),
  forgetEvents: unpreparedStatement<{ status: DeliveryStatus; before: Instant; limit: number }>(FORGET),
};

/** The outbox of a PostgreSQL store. Replicas may claim from it at the same time. */
export function createPostgresOutbox(db: PostgresDatabase): Outbox {
  return {
    async claim(at, until, limit) {
      const { rows } = await db.run(OUTBOX_STATEMENTS.claimEvents, { at, until, limit });
      return rows.map(toEvent);
    },

    async markDelivered({ eventId, sequence, session: { sessionId } }, at) {
      await db.transaction(async (transaction) => {
        await transaction.run(OUTBOX_STATEMENTS.markEventDelivered, { eventId, at });
        await transaction.run(OUTBOX_STATEMENTS.advanceLater, { sessionId, sequence, at });
      });
    },

    async postpone({ eventId, attempts, sequence, session: { sessionId } }, nextAttemptAt, error) {
      await db.transaction(async (transaction) => {
        const postponed = await transaction.run(OUTBOX_STATEMENTS.postponeEvent, { eventId, attempts, at: nextAttemptAt, error });
        if (postponed.changes === 0) return;
        await transaction.run(OUTBOX_STATEMENTS.postponeLater, { sessionId, sequence, at: nextAttemptAt });
      });
    },

    async giveUp({ eventId, attempts, sequence, session: { sessionId } }, at, error) {
      await db.transaction(async (transaction) => {
        const { changes } = await transaction.run(OUTBOX_STATEMENTS.giveEventUp, { eventId, attempts, at, error });
        if (changes > 0) await transaction.run(OUTBOX_STATEMENTS.advanceLater, { sessionId, sequence, at });
      });
    },

    async backlog() {
      const [backlog] = (await db.run(OUTBOX_STATEMENTS.countBacklog, {})).rows;
      return backlog ?? NO_BACKLOG;
    },

    async list({ status, limit, after = EVENTS_START }) {
      const page = { createdAt: after.createdAt, eventId: after.eventId, limit };
      const found =
        status === undefined
          ? await db.run(OUTBOX_STATEMENTS.listEvents, page)
          : await db.run(OUTBOX_STATEMENTS.listEventsInStatus, { ...page, status });
      return found.rows.map(toEvent);
    },

    async ofSession(sessionId) {
      return (await db.run(OUTBOX_STATEMENTS.eventsOfSession, { sessionId })).rows.map(toEvent);
    },

    replay(eventId, at) {
      return db.transaction(async (transaction) => {
        await transaction.run(OUTBOX_STATEMENTS.replayEvent, { eventId, at });
        const [row] = (await transaction.run(OUTBOX_STATEMENTS.findEvent, { eventId })).rows;
        return row && toEvent(row);
      });
    },

    async replayDead(at) {
      return (await db.run(OUTBOX_STATEMENTS.replayDeadEvents, { at })).changes;
    },

    async forget(status, before, limit) {
      return (await db.run(OUTBOX_STATEMENTS.forgetEvents, { status, before, limit })).changes;
    },
  };
}
