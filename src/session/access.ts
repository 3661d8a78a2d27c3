import { CAMERA_TYPES } from './camera-types.ts';
import { UploadError } from './errors.ts';
import type { Instant, UploadSession } from './session.ts';

/**
 * `upload`: create sessions, and do everything with one's own. `read`: see the sessions of everybody. `admin`: everything with
 * the sessions of everybody. Each only within the grant's bucket and key prefix.
 */
export const SCOPES = ['upload', 'read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** How much an owner may put where; null and the empty prefix are no limit. */
export interface Limits {
  readonly bucket: string | null;
  /** Compared letter by letter, like at S3: `team-a` covers `team-ab/x` too, `team-a/` does not. */
  readonly keyPrefix: string;
  /** Such as `video/mp4`, or `video/*`, which covers `CAMERA_TYPES` as well. */
  readonly contentTypes: readonly string[] | null;
  /** Bytes. */
  readonly maxObjectSize: number | null;
  /** Bytes of unfinished and completed sessions together. */
  readonly quotaBytes: number | null;
  readonly maxOpenSessions: number | null;
}

export const NO_LIMITS: Limits = {
  bucket: null,
  keyPrefix: '',
  contentTypes: null,
  maxObjectSize: null,
  quotaBytes: null,
  maxOpenSessions: null,
};

/** Unfinished sessions of a token that has no limit of its own, unless the server is told otherwise. */
export const DEFAULT_MAX_OPEN_SESSIONS = 10_000;

/** Capabilities of a token that have not expired: two for each file of a batch of 100,000, granted one after another. */
export const MAX_CAPABILITIES = 200_000;

/** Who asks, and what a token lets them do. */
export interface Grant {
  /** Sessions belong to the name of the token, so that a new token of the same name goes on with them. */
  readonly owner: string;
  /** Names the token in the audit log; never the token itself. */
  readonly tokenId: string;
  /** What limits on requests count by: the `tokenId`, of a capability that of the token that granted it, which may grant any number. */
  readonly limitKey: string;
  readonly scopes: readonly Scope[];
  readonly limits: Limits;
  /** A capability: this session's upload and nothing else. */
  readonly sessionId: string | null;
  readonly expiresAt: Instant | null;
}

type Place = Pick<UploadSession, 'bucket' | 'key'>;
type Target = Place & Pick<UploadSession, 'sessionId' | 'owner'>;

/** Whether the session exists for this caller; where it does not, it is answered like an id that nobody has. */
export function canSee(grant: Grant, session: Target): boolean {
  if (grant.sessionId !== null) return grant.sessionId === session.sessionId;
  if (!isWithin(grant.limits, session)) return false;
  return hasScope(grant, 'read') || (hasScope(grant, 'upload') && grant.owner === session.owner);
}

/** Presign, report, list parts, complete, abort. */
export function canChange(grant: Grant, session: Target): boolean {
  if (!canSee(grant, session)) return false;
  if (grant.sessionId !== null || hasScope(grant, 'admin')) return true;
  return hasScope(grant, 'upload') && grant.owner === session.owner;
}

/** `admin` includes the others. */
export function hasScope(grant: Grant, scope: Scope): boolean {
  return grant.scopes.includes(scope) || grant.scopes.includes('admin');
}

export function isWithin({ bucket, keyPrefix }: Pick<Limits, 'bucket' | 'keyPrefix'>, place: Place): boolean {
  return (bucket === null || bucket === place.bucket) && place.key.startsWith(keyPrefix);
}

export interface NewObject extends Place {
  readonly size: number;
  readonly contentType: string | null;
}

/** What can be said without looking at other sessions; quota and the number of sessions are checked as the session is recorded. */
export function checkNewObject(limits: Limits, object: NewObject): void {
  const { contentTypes, maxObjectSize, keyPrefix, bucket } = limits;
  if (!isWithin(limits, object)) {
    const where = bucket === null || bucket === object.bucket ? '' : ` in bucket ${bucket}`;
    throw new UploadError('KEY_NOT_ALLOWED', `The token may write only keys that start with "${keyPrefix}"${where}.`, {
      facts: { keyPrefix },
    });
  }
  if (contentTypes !== null && !contentTypes.some((allowed) => matchesType(allowed, object.contentType))) {
    throw new UploadError(
      'CONTENT_TYPE_NOT_ALLOWED',
      `The token allows ${contentTypes.join(', ')}, not ${object.contentType ?? 'a file without a content type'}.`,
      { facts: { contentTypes } },
    );
  }
  if (maxObjectSize !== null && object.size > maxObjectSize) {
    throw new UploadError(
      'OBJECT_TOO_LARGE',
      `The token allows files of up to ${maxObjectSize} bytes; this one has ${object.size}.`,
      {
        facts: { maxObjectSize },
      },
    );
  }
}

/** Ignores parameters (`; codecs=…`) and upper case (RFC 9110, section 8.3.1). */
function matchesType(allowed: string, contentType: string | null): boolean {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === undefined) return false;
  const wanted = allowed.toLowerCase();
  if (wanted === 'video/*' && CAMERA_TYPES.has(type)) return true;
  return wanted.endsWith('/*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}
