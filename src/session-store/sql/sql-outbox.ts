import { NO_BACKLOG, type Outbox } from '../port/outbox.ts';
import { toEvent } from './event-rows.ts';
import { EVENTS_START } from './event-statements.ts';
import type { SharedRunnables } from './statements.ts';

/** The methods of an outbox that are one statement. Each database adds its transactions. */
export function createOutboxQueries(
  statements: SharedRunnables,
): Pick<Outbox, 'backlog' | 'list' | 'ofSession' | 'replayDead' | 'deleteOld'> {
  return {
    async backlog() {
      return (await statements.countBacklog.first({})) ?? NO_BACKLOG;
    },

    async list({ status, limit, after = EVENTS_START }) {
      const page = { createdAt: after.createdAt, eventId: after.eventId, limit };
      const rows =
        status === undefined ? statements.listEvents.all(page) : statements.listEventsInStatus.all({ ...page, status });
      return (await rows).map(toEvent);
    },

    async ofSession(sessionId) {
      return (await statements.eventsOfSession.all({ sessionId })).map(toEvent);
    },

    replayDead: (at) => statements.replayDeadEvents.run({ at }),
    deleteOld: (status, before, limit) => statements.deleteOldEvents.run({ status, before, limit }),
  };
}
