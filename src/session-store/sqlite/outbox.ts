import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus, UploadEvent } from '../../session/upload-event.ts';
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
import type { SqliteDatabase } from './driver.ts';

type Position = { readonly createdAt: Instant; readonly eventId: string };
type Claim = Pick<ClaimedEvent, 'eventId' | 'attempts'>;
type Later = { readonly sessionId: string; readonly sequence: number; readonly at: Instant };

export function outboxStatements(db: SqliteDatabase) {
  return {
    // By name: SQLite would rather read all that are pending, and sort them.
    dueEvents: db.prepare<{ at: Instant; limit: number }, EventRow>(`
      SELECT ${EVENT_COLUMNS} FROM events e INDEXED BY events_due JOIN upload_sessions s ON s.session_id = e.session_id
      WHERE e.status = 'pending' AND e.next_attempt_at <= @at AND ${NO_EARLIER_PENDING}
      ORDER BY e.next_attempt_at LIMIT @limit`),
    claimEvent: db.prepare<{ eventId: string; until: Instant }>(
      'UPDATE events SET attempts = attempts + 1, next_attempt_at = @until WHERE event_id = @eventId',
    ),
    markEventDelivered: db.prepare<{ eventId: string; at: Instant }>(MARK_DELIVERED),
    postponeEvent: db.prepare<Claim & { at: Instant; error: string }>(POSTPONE),
    giveEventUp: db.prepare<Claim & { at: Instant; error: string }>(GIVE_UP),
    // What has to wait for another one is not due before it: thousands that wait would be looked at again and again.
    postponeLater: db.prepare<Later>(`UPDATE events SET next_attempt_at = MAX(next_attempt_at, @at) WHERE ${LATER}`),
    advanceLater: db.prepare<Later>(`UPDATE events SET next_attempt_at = MIN(next_attempt_at, @at) WHERE ${LATER}`),

    countBacklog: db.prepare<[], Backlog>(backlogSql('events INDEXED BY events_due')),
    listEvents: db.prepare<Position & { limit: number }, EventRow>(`${EVENT_SQL} WHERE ${NEWEST_FIRST}`),
    listEventsInStatus: db.prepare<Position & { limit: number; status: DeliveryStatus }, EventRow>(
      `${EVENT_SQL} WHERE e.status = @status AND ${NEWEST_FIRST}`,
    ),
    eventsOfSession: db.prepare<[sessionId: string], EventRow>(`${EVENT_SQL} WHERE e.session_id = ? ORDER BY e.sequence`),
    findEvent: db.prepare<[eventId: string], EventRow>(`${EVENT_SQL} WHERE e.event_id = ?`),
    replayEvent: db.prepare<{ eventId: string; at: Instant }>(REPLAY_ONE),
    replayDeadEvents: db.prepare<{ at: Instant }>(REPLAY_DEAD),
    forgetEvents: db.prepare<{ status: DeliveryStatus; before: Instant; limit: number }>(FORGET),
  };
}

/** The outbox of a SQLite store, on its database and its statements. */
export function createSqliteOutbox(db: SqliteDatabase, statements: ReturnType<typeof outboxStatements>): Outbox {
  const transact = <Result>(work: () => Result): Result => db.transaction(work).immediate();

  return {
    async claim(at, until, limit) {
      // Asked again and again, mostly in vain: the write lock is taken only where there is something to write.
      if (statements.dueEvents.get({ at, limit: 1 }) === undefined) return [];
      return transact(() =>
        statements.dueEvents.all({ at, limit }).map((row): UploadEvent => {
          statements.claimEvent.run({ eventId: row.event_id, until });
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

    async giveUp({ eventId, attempts, sequence, session: { sessionId } }, at, error) {
      transact(() => {
        if (statements.giveEventUp.run({ eventId, attempts, at, error }).changes === 0) return;
        statements.advanceLater.run({ sessionId, sequence, at });
      });
    },

    async backlog() {
      return statements.countBacklog.get() ?? NO_BACKLOG;
    },

    async list({ status, limit, after = EVENTS_START }) {
      const page = { createdAt: after.createdAt, eventId: after.eventId, limit };
      const rows =
        status === undefined ? statements.listEvents.all(page) : statements.listEventsInStatus.all({ ...page, status });
      return rows.map(toEvent);
    },

    async ofSession(sessionId) {
      return statements.eventsOfSession.all(sessionId).map(toEvent);
    },

    async replay(eventId, at) {
      return transact(() => {
        statements.replayEvent.run({ eventId, at });
        const row = statements.findEvent.get(eventId);
        return row && toEvent(row);
      });
    },

    async replayDead(at) {
      return statements.replayDeadEvents.run({ at }).changes;
    },

    async forget(status, before, limit) {
      return statements.forgetEvents.run({ status, before, limit }).changes;
    },
  };
}
