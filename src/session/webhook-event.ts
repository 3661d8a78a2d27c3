import type { Instant, UploadSession } from './session.ts';

/** The events of a session: its beginning, and the way it ended. */
export const WEBHOOK_EVENT_TYPES = ['upload.created', 'upload.completed', 'upload.aborted', 'upload.expired'] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

/** `dead`: its attempts ran out, or its receiver wants no more events. Only a replay sends it again. */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'dead'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** The fields of the session that a receiver gets. None of them changes after the event, so an event that is sent again is the same. */
export type WebhookSession = Pick<
  UploadSession,
  | 'sessionId'
  | 'owner'
  | 'bucket'
  | 'key'
  | 'fileName'
  | 'size'
  | 'contentType'
  | 'metadata'
  /** Null unless the event is `upload.completed`; so is the checksum. */
  | 'etag'
  | 'checksum'
>;

export interface WebhookEvent {
  /** Unique, and the same however often it is sent. */
  readonly eventId: string;
  /** Number of the event within its session, from 1, without gaps. */
  readonly sequence: number;
  readonly type: WebhookEventType;
  /** When the event happened. */
  readonly createdAt: Instant;
  readonly session: WebhookSession;

  readonly status: DeliveryStatus;
  /** Number of attempts that began since `pendingSince`. */
  readonly attempts: number;
  /** When it happened, or was last replayed: attempts count from then. */
  readonly pendingSince: Instant;
  /** While pending: when it is next due. While being sent: when its lease ends and another server may send it. */
  readonly nextAttemptAt: Instant;
  /** Error of the last failed attempt: short, and without secrets. */
  readonly lastError: string | null;
  /** When it was delivered, or became dead. */
  readonly settledAt: Instant | null;
}
