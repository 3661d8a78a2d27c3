import type { Limits, Scope } from '../../session/access.ts';
import { HOST_ERROR_CODES } from '../../session/host-errors.ts';
import type { Status } from '../../session/machine.ts';
import type { PartPlan } from '../../session/part-plan.ts';
import type { EndsAs, Instant, StoredPart, UploadSession } from '../../session/session.ts';
import type { FileLoss } from './file-loss.ts';
import type { Outbox } from './outbox.ts';

export { type FileLoss, isFileLoss } from './file-loss.ts';
export type { Backlog, Outbox } from './outbox.ts';

/**
 * Why the database does not serve: it cannot be reached or is too busy, has no room, may not be written, its disk fails, or its file is
 * not the one any more that the server opened.
 */
export type Unavailability = 'away' | 'full' | 'read-only' | 'disk-error' | FileLoss;

/**
 * The database cannot serve now, or stopped in the midst: whether a write happened is unknown. It may serve again at the next call. The
 * message never holds the database's URL or a password.
 */
export class SessionStoreUnavailable extends Error {
  override readonly name = 'SessionStoreUnavailable';
  readonly code = HOST_ERROR_CODES.databaseUnavailable;
  readonly reason: Unavailability;

  constructor(message: string, reason: Unavailability = 'away', options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}

/** What a new row is made of; everything else starts empty, in `creating`, generation 1. */
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

/** The attributes of an object beside its bytes. The store fixes it when a multipart upload begins. */
export type ObjectAttributes = Pick<UploadSession, 'contentType' | 'contentDisposition' | 'tags' | 'metadata'>;

/** Ties a client's Idempotency-Key to the session it made. `requestHash` tells a repeat from a different request. */
export interface IdempotencyRecord {
  readonly key: string;
  readonly requestHash: string;
}

/** Checked as a session is recorded, so that no two at once slip through. Null is no limit. */
export interface OwnerLimits extends Pick<Limits, 'quotaBytes' | 'maxOpenSessions'> {}

export type InsertOutcome =
  | { readonly outcome: 'inserted' }
  /** The owner used the idempotency key before, or the same file is running. */
  | { readonly outcome: 'taken' }
  | { readonly outcome: 'quota-exceeded' }
  | { readonly outcome: 'too-many-sessions' }
  /** An unfinished session will make an object above (`a` of `a/b`) or below the key, or has made one since the new one's `createdAt`. */
  | { readonly outcome: 'key-conflict'; readonly conflictingKey: string };

/** What an owner's sessions amount to, right to the byte. */
export interface Usage {
  readonly openSessions: number;
  /** Sizes of the sessions that have not ended. */
  readonly reservedBytes: number;
  /** Sizes of the completed ones. */
  readonly settledBytes: number;
}

/** What all owners' sessions amount to. */
export interface Totals {
  /** How many there are in each status that is no end. */
  readonly unfinished: Readonly<Record<Exclude<Status, 'completed' | 'aborted' | 'expired'>, number>>;
  /** Sizes of the sessions that have not ended. */
  readonly reservedBytes: number;
  /** Sizes of the completed ones. */
  readonly settledBytes: number;
  /** Of the parts on record of the sessions that have not ended: what they hold at the object store, as far as anybody has told. */
  readonly heldBytes: number;
}

/** The row that a change was decided on. If it is no longer in this status and generation, the change does not happen. */
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
  /** From an earlier page's `nextCursor`. */
  readonly cursor?: string;
}

export interface FingerprintQuery {
  readonly owner: string;
  readonly bucket: string;
  readonly keyRequest: string;
  readonly size: number;
  readonly fingerprint: string;
}

/** A multipart upload of a generation that its session has left behind, and that the object store may still hold. */
export interface LeftoverUpload {
  readonly sessionId: string;
  readonly bucket: string;
  readonly key: string;
  readonly generation: number;
  readonly uploadId: string;
}

/** A session of whose key the object store may hold an upload that nobody recorded. */
export interface OrphanSuspect {
  readonly sessionId: string;
  readonly bucket: string;
  readonly key: string;
  /** The orphan was begun after this, and not long after `suspectedAt`. */
  readonly createdAt: Instant;
  readonly suspectedAt: Instant;
}

export interface ClientReport {
  readonly sessionId: string;
  readonly generation: number;
  readonly clientId: string;
  readonly parts: readonly StoredPart[];
  readonly inFlightBytes: number;
  readonly bytesPerSecond: number;
  readonly at: Instant;
}

/** `session` is as it is afterwards. */
export type ReportAnswer =
  | { readonly outcome: 'recorded' | 'stale'; readonly session: UploadSession }
  | { readonly outcome: 'replaced' };

export interface Token {
  readonly tokenId: string;
  readonly name: string;
  /** SHA-256 of the token, hex. The token itself is never stored. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
  readonly limits: Limits;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | null;
  readonly revokedAt: Instant | null;
}

/** A token for one session. */
export interface Capability {
  readonly capabilityId: string;
  readonly hash: string;
  readonly sessionId: string;
  /** The `tokenId` that it ends with. */
  readonly grantedBy: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
}

/** Of the clients that a session has had, so many are known to have been replaced; one from before would take it over again. */
export const REMEMBERED_CLIENTS = 100;

/** Servers take leases of some minutes. */
export const LONGEST_LEASE_MS = 3_600_000;

/**
 * Where upload sessions are recorded. Every method is atomic: it happens whole or not at all, also when the process is
 * killed, and once its promise resolves it is durable. All sizes are 64-bit. Sessions are never deleted. The store does not
 * judge transitions (session/machine.ts does), but it refuses, by rejecting, an `aborting` session without `endsAs` and a
 * `completed` one without `etag`. `get` and the find and list methods see everything that resolved before they were called.
 */
export interface SessionStore {
  /**
   * Whether several servers may serve from it at the same time. Of one that is not shared, a server that starts may take it that
   * nothing is under way: who left an `-ing` status is gone.
   */
  readonly isShared: boolean;

  /** What webhooks tell: written with each `insert`, and with each `changeStatus` that ends a session. */
  readonly outbox: Outbox;

  /**
   * Inserts a session in `creating`. Atomically with the row, claims the idempotency key if given: where the owner used
   * it before, nothing is inserted and the outcome is `taken` (see `findByIdempotencyKey`). The same where a session with this
   * owner, bucket, key request, size and fingerprint is `creating`, `open` or `completing`. Limits, and the keys of unfinished
   * sessions, are checked after that. Rejects a `sessionId` on record.
   */
  insert(session: NewSession, idempotency?: IdempotencyRecord, limits?: OwnerLimits): Promise<InsertOutcome>;

  /** Zeros for an owner without sessions. */
  usageOf(owner: string): Promise<Usage>;

  /**
   * Cheap however long the history is: sessions that ended are not counted. Sums of bytes beyond 2^53 are rounded. The counts may be
   * of another moment than the sums.
   */
  totals(): Promise<Totals>;

  get(sessionId: string): Promise<UploadSession | undefined>;

  /** Ties a key to a session on record. False where the owner used the key before, and nothing changes. */
  claimIdempotencyKey(owner: string, idempotency: IdempotencyRecord, sessionId: string, at: Instant): Promise<boolean>;

  /** Forgets the keys claimed before `before`, whatever became of their sessions; returns how many. */
  deleteIdempotencyKeys(before: Instant): Promise<number>;

  findByIdempotencyKey(owner: string, key: string): Promise<{ sessionId: string; requestHash: string } | undefined>;

  /** The key is as if it had never been used. Idempotent. */
  releaseIdempotencyKey(owner: string, key: string): Promise<void>;

  /** The newest session that matches, of those in one of `statuses`. */
  findByFingerprint(query: FingerprintQuery, statuses: readonly Status[]): Promise<UploadSession | undefined>;

  /** Newest first. Pages do not repeat or skip a session that exists throughout. `cursor`s that were not handed out give the first page. */
  list(query: SessionQuery): Promise<{ sessions: UploadSession[]; nextCursor: string | null }>;

  /**
   * Compare-and-set: false where the row is no longer as expected (a lost race) and nothing changed.
   * Fields that `change` leaves out keep their values.
   */
  changeStatus(expected: Expected, change: StatusChange): Promise<boolean>;

  /** `creating` to `open`, recording the multipart upload of the expected generation. Compare-and-set like `changeStatus`. */
  openUpload(expected: Expected, upload: { uploadId: string; initiatedAt: Instant }, at: Instant): Promise<boolean>;

  /**
   * `open` or `completing` to `creating` with the next generation, whose parts start empty; with a new plan and new
   * attributes where they are given.
   * The old generation's upload stays on record until `endUpload`. Compare-and-set.
   */
  startGeneration(expected: Expected, at: Instant, plan?: PartPlan, attributes?: Partial<ObjectAttributes>): Promise<boolean>;

  /** The object store no longer holds the multipart upload of that generation. Idempotent. Parts and `uploadId` stay on record. */
  endUpload(sessionId: string, generation: number, at: Instant): Promise<void>;

  /**
   * Uploads of earlier generations, or of ended sessions, that were not marked by `endUpload` and whose session last changed
   * before `before`; oldest first.
   */
  leftoverUploads(before: Instant, limit: number): Promise<LeftoverUpload[]>;

  /** Whether any session has recorded this multipart upload. */
  hasUpload(uploadId: string): Promise<boolean>;

  /** Sessions in `status` that last changed before `before`, oldest change first. */
  listUnchangedSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]>;

  /** Sessions in `status` whose last activity was before `before`, oldest first. */
  listIdleSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]>;

  /** The client did something: the session expires later. Never moves backwards. A power cut may undo it. */
  touch(sessionId: string, at: Instant): Promise<void>;

  /** Whether the object may replace another one. The client's last word counts. */
  setOverwrite(sessionId: string, overwrite: boolean): Promise<void>;

  /**
   * The object store may hold a multipart upload of this session's key that is not on record: the process died, or the
   * answer got lost, between making it and recording it. Noted before another one is made; the later `at` counts.
   */
  suspectOrphan(sessionId: string, at: Instant): Promise<void>;

  /** Sessions of any status with a suspicion noted before `before`, oldest suspicion first. */
  listOrphanSuspects(before: Instant, limit: number): Promise<OrphanSuspect[]>;

  /** Looked after; a suspicion noted since `before` stays. */
  clearOrphanSuspicion(sessionId: string, before: Instant): Promise<void>;

  /** The parts on record for a generation, by part number. */
  listParts(sessionId: string, generation: number): Promise<StoredPart[]>;

  /**
   * Replaces what is on record for the generation with what the object store holds. `at` is when the object store was
   * asked, taken *before* asking: a part reported after `at` is newer than the answer and stays as reported. Not client activity.
   * Rejects where the generation has no upload on record.
   */
  replaceParts(sessionId: string, generation: number, parts: readonly StoredPart[], at: Instant): Promise<void>;

  /**
   * Records a client's report: parts are added to those on record (a repeated number is replaced), figures and activity
   * are updated. `replaced` means that a client that first reported later than this one owns the session: nothing is
   * recorded. A client id seen for the first time takes the session over. A report about another generation than the
   * current one, or while that one has no upload on record, is `stale`: it counts as activity (and a new client takes
   * over), its parts and figures are ignored. Rejects where there is no such session. A power cut, or a crash of the database, may
   * undo the last second of reports: the object store tells what it holds, and is asked before anything depends on it.
   */
  report(report: ClientReport): Promise<ReportAnswer>;

  insertToken(token: Token): Promise<void>;
  /** Revoked and expired ones as well. */
  findTokenByHash(hash: string): Promise<Token | undefined>;
  findToken(tokenId: string): Promise<Token | undefined>;
  /** Every token that there ever was, oldest first. */
  listTokens(): Promise<Token[]>;
  /** False where there is no such token, or it is revoked already. */
  revokeToken(tokenId: string, at: Instant): Promise<boolean>;

  /** False, and nothing recorded, where its grantor has `most` already; those that have expired count until they are deleted. */
  insertCapability(capability: Capability, most: number): Promise<boolean>;
  /** Expired ones as well. */
  findCapabilityByHash(hash: string): Promise<Capability | undefined>;
  /** Forgets those that expired before `before`; returns how many. */
  deleteExpiredCapabilities(before: Instant): Promise<number>;

  /**
   * One sweeps at a time: true where nobody else holds the lease, or its time has run out. It is the caller's for `ttlMs` from `at`
   * then; who asks again while he holds it renews it. A lease that ends later than `LONGEST_LEASE_MS` from now was taken by a clock
   * that was wrong, and counts as none.
   */
  acquireSweepLease(holder: string, at: Instant, ttlMs: number): Promise<boolean>;
  /** Does nothing where somebody else holds it. Idempotent. */
  releaseSweepLease(holder: string): Promise<void>;

  /**
   * A cheap question that fails when the store cannot serve. It writes nothing, unless that is the only way to find out whether the
   * store can be written again.
   */
  ping(): Promise<void>;
  close(): Promise<void>;
}
