import type { Instant, UploadSession } from './session.ts';

/** What is told about a session: that it began, and the one way in which it ended. */
export const UPLOAD_EVENT_TYPES = ['upload.created', 'upload.completed', 'upload.aborted', 'upload.expired'] as const;
export type UploadEventType = (typeof UPLOAD_EVENT_TYPES)[number];

/** `dead`: it was tried for as long as it is worth, or its receiver wants no more. Only a replay sends it again. */
export const DELIVERY_STATUSES = ['pending', 'delivered', 'dead'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/** What a receiver hears of the session. Nothing of it changes after the event: an event that is sent again is the same. */
export type ToldSession = Pick<
  UploadSession,
  | 'sessionId'
  | 'owner'
  | 'bucket'
  | 'key'
  | 'fileName'
  | 'size'
  | 'contentType'
  | 'metadata'
  /** Null but for `upload.completed`. */
  | 'etag'
  | 'checksum'
>;

export interface UploadEvent {
  /** Unique, and the same however often it is sent. */
  readonly eventId: string;
  /** Of its session, from 1, without gaps. */
  readonly sequence: number;
  readonly type: UploadEventType;
  /** When it happened. */
  readonly createdAt: Instant;
  readonly session: ToldSession;

  readonly status: DeliveryStatus;
  /** Begun since `pendingSince`. */
  readonly attempts: number;
  /** When it happened or was last replayed: from then on it is tried. */
  readonly pendingSince: Instant;
  /** Of a pending one. While it is being sent, when it is taken for forgotten. */
  readonly nextAttemptAt: Instant;
  /** Of its last attempt that failed; short, without anything secret. */
  readonly lastError: string | null;
  /** When it was delivered, or given up. */
  readonly settledAt: Instant | null;
}
