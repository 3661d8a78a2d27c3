import type { ObjectStore } from '../../object-store/port.ts';
import type { Instant, UploadSession } from '../../session/session.ts';
import type { SessionStore } from '../../session-store/port/session-store.ts';

export interface Policy {
  /** A session expires this long after its last activity. */
  readonly sessionTtlMs: number;
  /** How long the object store keeps an unfinished multipart upload after it was initiated, as the operator of the store declares it. */
  readonly staleUploadsExpiryMs: number;
  readonly urlTtlSeconds: number;
  /** Makes the object key where the client names none. */
  readonly keyTemplate: string;
  /** Whether uploads may begin even at a store that takes forged writes (forgery-guard.ts). */
  readonly allowForgery: boolean;
}

/** The part of pino that the server uses. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Called by the code that changes a session, right after the change, for the audit log. */
export type AuditListener = (
  event: 'created' | 'completed' | 'aborted' | 'expired' | 'granted',
  session: UploadSession,
  more?: { readonly capabilityId: string },
) => void;

/** Everything that the service works with. Clock and ids are passed in, so tests decide them. */
export interface ServiceDeps {
  readonly sessions: SessionStore;
  readonly objects: ObjectStore;
  readonly now: () => Instant;
  readonly newSessionId: () => string;
  readonly policy: Policy;
  /** Origins whose pages may call the API. The report on the store shows them, because the store must let the same origins send parts. */
  readonly corsOrigins?: readonly string[];
  readonly log: Log;
  readonly audit: AuditListener;
}
