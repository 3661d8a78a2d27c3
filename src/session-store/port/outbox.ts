import type { Instant } from '../../session/session.ts';
import type { DeliveryStatus, UploadEvent } from '../../session/upload-event.ts';

export interface EventQuery {
  readonly status?: DeliveryStatus;
  readonly limit: number;
  /** The last one of the page before. */
  readonly after?: Pick<UploadEvent, 'eventId' | 'createdAt'>;
}

/** What has not arrived. */
export interface Backlog {
  readonly pending: number;
  readonly dead: number;
  /** When the oldest one that is pending happened; null where none is. */
  readonly oldestPendingAt: Instant | null;
}
export const NO_BACKLOG: Backlog = { pending: 0, dead: 0, oldestPendingAt: null };

/** An attempt that `claim` handed out. It is told apart from later ones of the same event by its number. */
export type ClaimedEvent = Pick<UploadEvent, 'eventId' | 'attempts' | 'sequence'> & {
  readonly session: Pick<UploadEvent['session'], 'sessionId'>;
};

/**
 * The events that webhooks tell. The store itself writes them, each in the transaction of the change that it tells of, `pending` and
 * due at once. Every method is atomic and, once resolved, durable, like those of the session store.
 */
export interface Outbox {
  /**
   * Events that are due, those that have been due for longest first, and for nobody else until `until`: whoever dies before he says
   * how it went leaves them to others. An event is not handed out while an earlier one of its session is pending.
   */
  claim(at: Instant, until: Instant, limit: number): Promise<UploadEvent[]>;

  /** Also where it was claimed again since: it did arrive. The next one of its session is due then. */
  markDelivered(event: ClaimedEvent, at: Instant): Promise<void>;

  /** It failed, and is due again at `nextAttemptAt`. Nothing changes where it was settled, or claimed again, since. */
  postpone(event: ClaimedEvent, nextAttemptAt: Instant, error: string): Promise<void>;

  /** It failed, and is dead; the next one of its session is due. Nothing changes where it was settled, or claimed again, since. */
  giveUp(event: ClaimedEvent, at: Instant, error: string): Promise<void>;

  /** Costs a look at each event that is pending or dead, in an index, and none at those that were delivered. */
  backlog(): Promise<Backlog>;

  /** Newest first. */
  list(query: EventQuery): Promise<UploadEvent[]>;

  /** All of a session, in their order: there are two at most. */
  ofSession(sessionId: string): Promise<UploadEvent[]>;

  /** Whatever its status: it is pending and due, without an attempt. Undefined where there is no such event. */
  replay(eventId: string, at: Instant): Promise<UploadEvent | undefined>;

  /** All that are dead; returns how many. */
  replayDead(at: Instant): Promise<number>;

  /**
   * Forgets at most `limit` of those in `status` that happened before `before`, of sessions that have ended: events of an unfinished
   * one stay, so that its numbers go on. Returns how many.
   */
  forget(status: DeliveryStatus, before: Instant, limit: number): Promise<number>;
}
