import type { AuditEventName } from '../../contract/audit-events.ts';
import type { UploadSession } from '../../session/session.ts';
import type { AuditListener } from '../core/deps.ts';

/** An action of a client or of the server, or a refusal. Holds no secret: tokens are named, never quoted. */
export interface AuditEvent {
  readonly event: AuditEventName;
  /** The token's name. Undefined where the client is unknown, or where the server acted by itself (`expired`). */
  readonly token?: string | undefined;
  readonly tokenId?: string | undefined;
  /** The client's address, as far as the server trusts the proxies in between. */
  readonly address?: string | undefined;
  /** The id that the server's log and the `instance` of a problem document have. */
  readonly requestId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  /** In bytes. */
  readonly size?: number | undefined;
  /** Whether the object may replace another one. */
  readonly overwrite?: boolean | undefined;
  /** The capability that was granted: actions with it have this as their `tokenId`. */
  readonly capabilityId?: string | undefined;
  /** The reason of a refusal: a code of session/errors.ts. */
  readonly code?: string | undefined;
  /** The requested operation, in the contract's words. */
  readonly operation?: string | undefined;
}

/** A line of the log. A newer server may write events that this one does not know. */
export interface AuditLine extends Omit<AuditEvent, 'event'> {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly event: string;
  /** True on the last refusal that is written before further ones from the same source are only counted. */
  readonly furtherLeftOut?: boolean | undefined;
  /** Number of refusals of this token and address that were only counted. */
  readonly leftOut?: number | undefined;
}

/** Records events. Never throws and never waits, so that no request fails because of its audit line. */
export interface Audit {
  record(event: AuditEvent): void;
}

export const noAudit: Audit = { record() {} };

/** The sweeper acts for no caller, so its lines carry no token. */
export function auditAsServer(audit: Audit): AuditListener {
  return (event, session) => audit.record({ event, ...subjectOf(session) });
}

export function subjectOf({ sessionId, bucket, key, size, overwrite }: UploadSession) {
  return { sessionId, bucket, key, size, ...(overwrite && { overwrite }) };
}
