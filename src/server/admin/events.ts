import { UploadError } from '../../session/errors.ts';
import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus, WebhookEvent } from '../../session/webhook-event.ts';
import type { Outbox } from '../../session-store/port/outbox.ts';
import type { Environment } from '../core/environment.ts';
import { openHostDatabase } from './database.ts';

const PAGE = 500;

export interface EventFilter {
  readonly status?: DeliveryStatus | undefined;
  readonly sessionId?: string | undefined;
}

/**
 * Opens the server's database for the event commands, whether the server runs or not.
 * @throws SessionStoreStartError
 */
export async function openEventAdmin(env: Environment, now: () => Instant) {
  const { sessions } = await openHostDatabase(env, { mayMake: false });
  return { admin: createEventAdmin(sessions.outbox, now), close: () => sessions.close() };
}

/** The administration of events on the server's own host. */
export function createEventAdmin(outbox: Outbox, now: () => Instant) {
  return {
    /** Lists events, newest first, page by page. */
    async *list({ status, sessionId }: EventFilter): AsyncGenerator<WebhookEvent> {
      if (sessionId !== undefined) {
        const events = await outbox.ofSession(sessionId);
        yield* events.reverse().filter((event) => status === undefined || event.status === status);
        return;
      }
      for (let after: WebhookEvent | undefined; ; ) {
        const page: WebhookEvent[] = await outbox.list({
          limit: PAGE,
          ...(status === undefined ? {} : { status }),
          ...(after === undefined ? {} : { after }),
        });
        yield* page;
        after = page.at(-1);
        if (page.length < PAGE) return;
      }
    },

    /** Makes an event due at once, whatever its status. @throws UploadError `EVENT_NOT_FOUND` */
    async replay(eventId: string): Promise<WebhookEvent> {
      const event = await outbox.replay(eventId, now());
      if (event !== undefined) return event;
      throw new UploadError('EVENT_NOT_FOUND', `There is no event "${eventId}".`);
    },

    /** Makes all dead events due at once, and returns their number. */
    replayDead(): Promise<number> {
      return outbox.replayDead(now());
    },
  };
}
