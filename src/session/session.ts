import type { Status } from './machine.ts';
import type { PartPlan } from './part-plan.ts';

/** Milliseconds since the Unix epoch. The wire writes the same instant as ISO 8601 UTC. */
export type Instant = number;

/** What an `aborting` session becomes once the object store has let go of its parts. */
export type EndsAs = 'aborted' | 'expired';

/**
 * One upload of one file to one object key: our record, our id, our lifecycle.
 * The object store's own id for the multipart upload (`uploadId`) changes when a session heals; `sessionId` never does.
 */
export interface UploadSession {
  readonly sessionId: string;
  readonly owner: string;
  readonly bucket: string;
  readonly key: string;
  /** Finds the session of the same file again (session/object-key-choice.ts): the key, or the template that it was made of. */
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
  /** Opaque to the server: finds a session again, never proves that two files are the same. */
  readonly fingerprint: string | null;
  readonly plan: PartPlan;

  readonly status: Status;
  readonly endsAs: EndsAs | null;
  /** Counts the multipart uploads this session has had, from 1. A session heals by starting the next one. */
  readonly generation: number;
  /** The object store's id for the current generation; null while `creating`. */
  readonly uploadId: string | null;
  readonly uploadInitiatedAt: Instant | null;

  /** Null until `completed`. */
  readonly etag: string | null;
  /** Base64 CRC32 of the whole object: the one it must have while `completing`, the one it has when `completed`. Says nothing in another status. */
  readonly checksum: string | null;

  readonly createdAt: Instant;
  /** When `status` or `generation` last changed. */
  readonly updatedAt: Instant;
  /** When a client last did something with the session; it expires a fixed time after this. */
  readonly lastActivityAt: Instant;

  /** Sum and count of the parts known to be stored, of the current generation. */
  readonly storedBytes: number;
  readonly partsStored: number;

  /** From the client's latest report; zero and null before the first. */
  readonly inFlightBytes: number;
  readonly bytesPerSecond: number;
  readonly reportedAt: Instant | null;
}

/** A part that the object store holds, in the store's own words. */
export interface StoredPart {
  readonly partNumber: number;
  /** Opaque; kept and sent back exactly as the store wrote it. */
  readonly etag: string;
  /** Base64 CRC32 of the part's bytes, checked by the store when it took them. */
  readonly checksum: string | null;
  readonly size: number;
}
