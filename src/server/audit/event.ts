import type { UploadSession } from '../../session/session.ts';
import type { TellAudit } from '../core/deps.ts';

/** `granted`: a capability token for one session was handed out. */
export const AUDIT_EVENTS = [
  'created',
  'completed',
  'aborted',
  'expired',
  'refused',
  'granted',
  'token-created',
  'token-revoked',
] as const;
export type AuditEventName = (typeof AUDIT_EVENTS)[number];

/** Who did what, or was refused. Nothing in it is a secret: tokens are named, never quoted. */
export interface AuditEvent {
  readonly event: AuditEventName;
  /** The token's name. None where nobody known asked, or where the server acted by itself (`expired`). */
  readonly token?: string | undefined;
  readonly tokenId?: string | undefined;
  /** Of the client, as far as the server trusts the way to it. */
  readonly address?: string | undefined;
  /** As in the server's log and in `instance` of a problem. */
  readonly requestId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly bucket?: string | undefined;
  readonly key?: string | undefined;
  /** Bytes. */
  readonly size?: number | undefined;
  /** The object may replace another one. */
  readonly overwrite?: boolean | undefined;
  /** Which capability was granted: what is done with it has this as its `tokenId`. */
  readonly capabilityId?: string | undefined;
  /** Why it was refused: a code of session/errors.ts. */
  readonly code?: string | undefined;
  /** What was asked for, in the contract's words. */
  readonly operation?: string | undefined;
}

/** One line of the log. A newer server may know events that this one does not. */
export interface AuditLine extends Omit<AuditEvent, 'event'> {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly event: string;
  /** On the last refusal that is written down before further ones from the same source are only counted. */
  readonly furtherLeftOut?: boolean | undefined;
  /** So many refusals of this token and address were only counted. */
  readonly leftOut?: number | undefined;
}

/** Takes note of an event. Never throws and never waits: a request does not fail for its note. */
export interface Audit {
  record(event: AuditEvent): void;
}

export const noAudit: Audit = { record() {} };

/** What the sweeper does is nobody's wish: its lines name no token. */
export function auditAsServer(audit: Audit): TellAudit {
  return (event, session) => audit.record({ event, ...subjectOf(session) });
}

export function subjectOf({ sessionId, bucket, key, size, overwrite }: UploadSession) {
  return { sessionId, bucket, key, size, ...(overwrite && { overwrite }) };
}
