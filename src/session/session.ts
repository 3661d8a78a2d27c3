import type { Status } from './machine.ts';
import type { PartPlan } from './part-plan.ts';

/** Milliseconds since the Unix epoch. The wire uses ISO 8601 in UTC. */
export type Instant = number;

/** The status of an `aborting` session once the object store has deleted its parts. */
export type EndsAs = 'aborted' | 'expired';

/**
 * One upload of one file to one object key, with an id and a lifecycle of our own. The object store's id of the multipart upload
 * (`uploadId`) changes when the session heals; `sessionId` never does.
 */
export interface UploadSession {
  readonly sessionId: string;
  readonly owner: string;
  readonly bucket: string;
  readonly key: string;
  /** Finds the session of the same file again: the key, or the template that it was made from (`keyFromTemplate`). */
  readonly keyRequest: string;
  readonly fileName: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string | null;
  /** The header's value, ASCII. */
  readonly contentDisposition: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly overwrite: boolean;
  /** Opaque to the server. It finds a session again; it never proves that two files are the same. */
  readonly fingerprint: string | null;
  readonly plan: PartPlan;

  readonly status: Status;
  readonly endsAs: EndsAs | null;
  /** Number of the session's current multipart upload, from 1. A session heals by starting the next one. */
  readonly generation: number;
  /** The object store's id for the current generation; null while `creating`. */
  readonly uploadId: string | null;
  readonly uploadInitiatedAt: Instant | null;

  /** Null until `completed`. */
  readonly etag: string | null;
  /** Base64 CRC32 of the whole object: expected while `completing`, actual once `completed`, meaningless in other statuses. */
  readonly checksum: string | null;

  readonly createdAt: Instant;
  /** When `status` or `generation` last changed. */
  readonly updatedAt: Instant;
  /** When a client last used the session. It expires a fixed time after this. */
  readonly lastActivityAt: Instant;

  /** Total size of the parts of the current generation that are known to be stored; `partsStored` is their number. */
  readonly storedBytes: number;
  readonly partsStored: number;

  /** From the client's latest report; zero and null before the first. */
  readonly inFlightBytes: number;
  readonly bytesPerSecond: number;
  readonly reportedAt: Instant | null;
}

/** A part as the object store lists it. */
export interface StoredPart {
  readonly partNumber: number;
  /** Opaque; kept and sent back exactly as the object store wrote it. */
  readonly etag: string;
  /** Base64 CRC32 of the part's bytes, checked by the object store when it received them. */
  readonly checksum: string | null;
  readonly size: number;
}
