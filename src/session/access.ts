import { CAMERA_TYPES } from './camera-types.ts';
import { UploadError } from './errors.ts';
import type { Instant, UploadSession } from './session.ts';

/**
 * The rights of a token, each within its bucket and key prefix only. `upload`: create sessions, and do everything with the token's
 * own. `read`: see the sessions of all owners. `admin`: do everything with the sessions of all owners.
 */
export const SCOPES = ['upload', 'read', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Where, what and how much an owner may upload. Null and the empty prefix mean no limit. */
export interface Limits {
  readonly bucket: string | null;
  /** A plain string prefix, as in S3: `team-a` covers `team-ab/x` too, `team-a/` does not. */
  readonly keyPrefix: string;
  /** Such as `video/mp4`, or `video/*`, which covers `CAMERA_TYPES` as well. */
  readonly contentTypes: readonly string[] | null;
  /** Bytes. */
  readonly maxObjectSize: number | null;
  /** Limit on the bytes of unfinished and completed sessions together. */
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

/** Limit on unfinished sessions for tokens without a limit of their own; a setting of the server changes it. */
export const DEFAULT_MAX_OPEN_SESSIONS = 10_000;

/** A token name appears in logs, in lists and, by `{owner}`, in keys, so it has only ASCII characters, none of which looks like another. */
export const TOKEN_NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

/** Limit on a token's capabilities that have not expired: two for each of 100,000 files that are uploaded one after another. */
export const MAX_CAPABILITIES = 200_000;

/** A caller's identity and the rights that its token gives. */
export interface Grant {
  /** The name of the token. Sessions belong to the name, so that a new token of the same name can continue them. */
  readonly owner: string;
  /** Names the token in the audit log; never the token itself. */
  readonly tokenId: string;
  /** Key for rate limits. A capability counts against the token that granted it, because one token can grant any number of them. */
  readonly limitKey: string;
  readonly scopes: readonly Scope[];
  readonly limits: Limits;
  /** Set for a capability: it allows the upload of this session and nothing else. */
  readonly sessionId: string | null;
  readonly expiresAt: Instant | null;
}

type ObjectLocation = Pick<UploadSession, 'bucket' | 'key'>;
type OwnedSession = ObjectLocation & Pick<UploadSession, 'sessionId' | 'owner'>;

/** Whether the caller may know that the session exists. If not, the server answers as it does for an unknown id. */
export function canSee(grant: Grant, session: OwnedSession): boolean {
  if (grant.sessionId !== null) return grant.sessionId === session.sessionId;
  if (!isWithin(grant.limits, session)) return false;
  return hasScope(grant, 'read') || (hasScope(grant, 'upload') && grant.owner === session.owner);
}

/** Whether the caller may presign, report, list parts, complete and abort. */
export function canChange(grant: Grant, session: OwnedSession): boolean {
  if (!canSee(grant, session)) return false;
  if (grant.sessionId !== null || hasScope(grant, 'admin')) return true;
  return hasScope(grant, 'upload') && grant.owner === session.owner;
}

/** Whether the grant has the scope; `admin` includes the others. */
export function hasScope(grant: Grant, scope: Scope): boolean {
  return grant.scopes.includes(scope) || grant.scopes.includes('admin');
}

export function isWithin({ bucket, keyPrefix }: Pick<Limits, 'bucket' | 'keyPrefix'>, object: ObjectLocation): boolean {
  return (bucket === null || bucket === object.bucket) && object.key.startsWith(keyPrefix);
}

export interface NewObject extends ObjectLocation {
  readonly size: number;
  readonly contentType: string | null;
}

/**
 * Checks the limits that concern the new object alone. The session store checks quota and the number of sessions when it records the
 * session.
 */
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

/** Ignores parameters (`; codecs=…`) and case (RFC 9110, section 8.3.1). */
function matchesType(allowed: string, contentType: string | null): boolean {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (type === undefined) return false;
  const wanted = allowed.toLowerCase();
  if (wanted === 'video/*' && CAMERA_TYPES.has(type)) return true;
  return wanted.endsWith('/*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}
