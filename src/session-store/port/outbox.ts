import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus, WebhookEvent } from '../../session/webhook-event.ts';

export interface EventQuery {
  readonly status?: DeliveryStatus;
  readonly limit: number;
  /** The last event of the previous page. */
  readonly after?: Pick<WebhookEvent, 'eventId' | 'createdAt'>;
}

/** Events that have not been delivered. */
export interface Backlog {
  readonly pending: number;
  readonly dead: number;
  /** When the oldest pending event happened; null if none is pending. */
  readonly oldestPendingAt: Instant | null;
}
export const NO_BACKLOG: Backlog = { pending: 0, dead: 0, oldestPendingAt: null };

/** An attempt that `lease` handed out. The number of attempts distinguishes it from later leases of the same event. */
export type LeasedEvent = Pick<WebhookEvent, 'eventId' | 'attempts' | 'sequence'> & {
  readonly session: Pick<WebhookEvent['session'], 'sessionId'>;
};

/**
 * The events for webhooks. The session store itself writes each in the transaction of the change, `pending` and due at once. Every method
 * is atomic and, once resolved, durable, like those of the session store.
 */
export interface Outbox {
  /**
   * Leases due events until `until`, those first that have been due for longest. No other server gets them before that, so the events of
   * a server that dies during an attempt become due again. An event is not leased while an earlier one of its session is pending.
   */
  lease(at: Instant, until: Instant, limit: number): Promise<WebhookEvent[]>;

  /** Records the delivery, even if the event was leased again meanwhile: it did arrive. The next event of its session becomes due. */
  markDelivered(event: LeasedEvent, at: Instant): Promise<void>;

  /** Records a failed attempt; the event is due again at `nextAttemptAt`. Changes nothing if it was settled or leased again meanwhile. */
  postpone(event: LeasedEvent, nextAttemptAt: Instant, error: string): Promise<void>;

  /**
   * Records a failed attempt after which the event is dead; the next event of its session becomes due. Changes nothing if the event was
   * settled or leased again meanwhile.
   */
  markDead(event: LeasedEvent, at: Instant, error: string): Promise<void>;

  /** Reads one index entry for each pending or dead event, and none for delivered ones. */
  backlog(): Promise<Backlog>;

  /** Lists events, newest first. */
  list(query: EventQuery): Promise<WebhookEvent[]>;

  /** Returns all events of a session in their order: there are at most two. */
  ofSession(sessionId: string): Promise<WebhookEvent[]>;

  /** Makes an event of any status pending and due, with zero attempts. Undefined if there is no such event. */
  replay(eventId: string, at: Instant): Promise<WebhookEvent | undefined>;

  /** Replays all dead events; returns their number. */
  replayDead(at: Instant): Promise<number>;

  /**
   * Deletes at most `limit` events in `status` that happened before `before`, and returns their number. Events of an unfinished session
   * stay, because its next event is numbered after them.
   */
  deleteOld(status: DeliveryStatus, before: Instant, limit: number): Promise<number>;
}
