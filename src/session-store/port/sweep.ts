import type { Status } from '../../session/machine.ts';
import type { Instant, UploadSession } from '../../session/session.ts';

/** A multipart upload of a generation that its session has left behind, and that the object store may still hold. */
export interface LeftoverUpload {
  readonly sessionId: string;
  readonly bucket: string;
  readonly key: string;
  readonly generation: number;
  readonly uploadId: string;
}

/** A session for whose key the object store may hold an upload that is on no record. */
export interface OrphanSuspect {
  readonly sessionId: string;
  readonly bucket: string;
  readonly key: string;
  /** The orphan began after this, and not long after `suspectedAt`. */
  readonly createdAt: Instant;
  readonly suspectedAt: Instant;
}

/** Servers take leases of some minutes. */
export const LONGEST_LEASE_MS = 3_600_000;

/** Sessions and uploads that need attention. */
export interface SweepQueries {
  /** Sessions in `status` that last changed before `before`, oldest change first. */
  listUnchangedSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]>;

  /** Sessions in `status` whose last activity was before `before`, oldest first. */
  listIdleSince(status: Status, before: Instant, limit: number): Promise<UploadSession[]>;

  /**
   * Uploads of earlier generations, or of ended sessions, that were not marked by `endUpload` and whose session last changed before
   * `before`; oldest first.
   */
  leftoverUploads(before: Instant, limit: number): Promise<LeftoverUpload[]>;

  /** Sessions of any status that were suspected before `before`, oldest suspicion first. */
  listOrphanSuspects(before: Instant, limit: number): Promise<OrphanSuspect[]>;
}

/** Records of multipart uploads that the object store may still hold. */
export interface UploadCleanup {
  /** Records that the object store no longer holds the upload of that generation. Idempotent. Parts and `uploadId` stay on record. */
  endUpload(sessionId: string, generation: number, at: Instant): Promise<void>;

  /** Whether any session has recorded this multipart upload. */
  hasUpload(uploadId: string): Promise<boolean>;

  /**
   * Records that the object store may hold a multipart upload of this session's key that is on no record: the process died, or the answer
   * was lost, between creating and recording it. Called before another upload is created; the later `at` counts.
   */
  suspectOrphan(sessionId: string, at: Instant): Promise<void>;

  /** Clears the suspicion after the key was checked, unless it was suspected again since `before`. */
  clearOrphanSuspicion(sessionId: string, before: Instant): Promise<void>;
}

/** The lease that lets one server at a time sweep. */
export interface SweepLease {
  /**
   * Whether several servers may use the session store at the same time. If false, a starting server may assume that no request is in
   * progress: whatever left a session in an `-ing` status is dead.
   */
  readonly isShared: boolean;

  /**
   * Takes or renews the lease for `ttlMs` from `at`. Returns false while another holder has it. A lease that ends later than
   * `LONGEST_LEASE_MS` from now was taken by a wrong clock, and does not count.
   */
  acquireSweepLease(holder: string, at: Instant, ttlMs: number): Promise<boolean>;

  /** Gives the lease back. Does nothing if another holder has it. Idempotent. */
  releaseSweepLease(holder: string): Promise<void>;
}
