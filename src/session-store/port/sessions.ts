import type { Limits } from '../../session/access.ts';
import type { Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { EndsAs, Instant, UploadSession } from '../../session/session.ts';

/** The fields of a new session. All others start empty, with status `creating` and generation 1. */
export type NewSession = Pick<
  UploadSession,
  | 'sessionId'
  | 'owner'
  | 'bucket'
  | 'key'
  | 'keyRequest'
  | 'fileName'
  | 'size'
  | 'contentType'
  | 'contentDisposition'
  | 'tags'
  | 'metadata'
  | 'overwrite'
  | 'fingerprint'
  | 'plan'
  | 'createdAt'
>;

/** The attributes of an object beside its bytes. The object store fixes them when a multipart upload begins. */
export type ObjectAttributes = Pick<UploadSession, 'contentType' | 'contentDisposition' | 'tags' | 'metadata'>;

/** Links a client's Idempotency-Key to the session that it created. `requestHash` distinguishes a repeat from another request. */
export interface IdempotencyRecord {
  readonly key: string;
  readonly requestHash: string;
}

/** Limits that are checked in the transaction that records a session, so that simultaneous requests cannot exceed them. Null is no limit. */
export interface OwnerLimits extends Pick<Limits, 'quotaBytes' | 'maxOpenSessions'> {}

export type InsertOutcome =
  | { readonly outcome: 'inserted' }
  /** The owner has used the idempotency key before, or the same file has a running session. */
  | { readonly outcome: 'taken' }
  | { readonly outcome: 'quota-exceeded' }
  | { readonly outcome: 'too-many-sessions' }
  /** An unfinished session will create an object above (`a` of `a/b`) or below the key, or has created one since the new one's `createdAt`. */
  | { readonly outcome: 'key-conflict'; readonly conflictingKey: string };

/** The state of the row on which a change was decided. If status or generation differ by now, the change does not happen. */
export interface Expected {
  readonly sessionId: string;
  readonly status: Status;
  readonly generation: number;
}

/** Fields that may change together with the status, in the same write. */
export interface StatusChange {
  readonly to: Status;
  readonly at: Instant;
  readonly endsAs?: EndsAs;
  readonly etag?: string;
  readonly checksum?: string;
}

export interface SessionQuery {
  readonly owner?: string;
  readonly bucket?: string;
  readonly keyPrefix?: string;
  readonly status?: Status;
  readonly limit: number;
  /** The `nextCursor` of an earlier page. */
  readonly cursor?: string;
}

export interface SessionPage {
  readonly sessions: UploadSession[];
  readonly nextCursor: string | null;
}

export interface FingerprintQuery {
  readonly owner: string;
  readonly bucket: string;
  readonly keyRequest: string;
  readonly size: number;
  readonly fingerprint: string;
}

/** Records of sessions: creating, finding and changing them. */
export interface SessionRecords {
  /**
   * Inserts a session in `creating`, and reserves the idempotency key, if given, in the same transaction. The outcome is `taken`, and
   * nothing is inserted, if the owner has used the key before (see `findByIdempotencyKey`), or if a session with this owner, bucket, key
   * request, size and fingerprint is `creating`, `open` or `completing`. Limits, and the keys of unfinished sessions, are checked after
   * that. Rejects a `sessionId` that is on record.
   */
  insert(session: NewSession, idempotency?: IdempotencyRecord, limits?: OwnerLimits): Promise<InsertOutcome>;

  get(sessionId: string): Promise<UploadSession | undefined>;

  /** Returns the newest session that matches and has one of the statuses. */
  findByFingerprint(query: FingerprintQuery, statuses: readonly Status[]): Promise<UploadSession | undefined>;

  /** Lists sessions, newest first. Pages do not repeat or skip a session that exists throughout. Unknown cursors give the first page. */
  list(query: SessionQuery): Promise<SessionPage>;

  /**
   * Compare-and-set: returns false, and changes nothing, if the row is no longer as expected (a lost race). Fields that `change` omits
   * keep their values.
   */
  changeStatus(expected: Expected, change: StatusChange): Promise<boolean>;

  /** Changes `creating` to `open`, and records the multipart upload of the expected generation. Compare-and-set like `changeStatus`. */
  openUpload(expected: Expected, upload: { uploadId: string; initiatedAt: Instant }, at: Instant): Promise<boolean>;

  /**
   * Changes `open` or `completing` to `creating` with the next generation, whose parts start empty; with a new plan and new attributes if
   * they are given. The upload of the old generation stays on record until `endUpload`. Compare-and-set like `changeStatus`.
   */
  startGeneration(expected: Expected, at: Instant, plan?: PartPlan, attributes?: Partial<ObjectAttributes>): Promise<boolean>;

  /** Records activity of a client, so that the session expires later. Never moves backwards. A power cut may undo it. */
  touch(sessionId: string, at: Instant): Promise<void>;

  /** Sets whether the object may replace another one, as the client last asked. */
  setOverwrite(sessionId: string, overwrite: boolean): Promise<void>;
}

/** Idempotency keys of owners, each linked to a session. */
export interface IdempotencyKeys {
  /** Links a key to a session on record. Returns false, and changes nothing, if the owner has used the key before. */
  reserveIdempotencyKey(owner: string, idempotency: IdempotencyRecord, sessionId: string, at: Instant): Promise<boolean>;

  findByIdempotencyKey(owner: string, key: string): Promise<{ sessionId: string; requestHash: string } | undefined>;

  /** Makes the key unused again. Idempotent. */
  releaseIdempotencyKey(owner: string, key: string): Promise<void>;

  /** Deletes the keys that were reserved before `before`, whatever became of their sessions; returns their number. */
  deleteIdempotencyKeys(before: Instant): Promise<number>;
}
