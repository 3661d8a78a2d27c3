import type { ObjectStore } from '../../object-store/port.ts';
import type { Instant, UploadSession } from '../../session/session.ts';
import type { SessionStore } from '../../session-store/port/session-store.ts';

export interface Policy {
  /** A session expires this long after its last activity. */
  readonly sessionTtlMs: number;
  /** How long the object store keeps an unfinished multipart upload, counted from its initiation, as its operator declared it. */
  readonly staleUploadsExpiryMs: number;
  readonly urlTtlSeconds: number;
  /** What a key is made of where the client names none. */
  readonly keyTemplate: string;
  /** Begins uploads even at a store that takes forged writes (forgery-guard.ts). */
  readonly allowForgery: boolean;
}

/** The part of pino that we use. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What happened to a session, for the audit log. Told right after the change that makes it so, by whoever makes it. */
export type TellAudit = (
  event: 'created' | 'completed' | 'aborted' | 'expired' | 'granted',
  session: UploadSession,
  more?: { readonly capabilityId: string },
) => void;

/** What the service works with. Clock and ids are passed in, so tests decide them. */
export interface ServiceDeps {
  readonly sessions: SessionStore;
  readonly objects: ObjectStore;
  readonly now: () => Instant;
  readonly newSessionId: () => string;
  readonly policy: Policy;
  /** Origins whose pages may call the API, for the report on the store, which must let the same ones send parts. */
  readonly corsOrigins?: readonly string[];
  readonly log: Log;
  readonly audit: TellAudit;
}
