import type { ForgeryVerdict } from '../forgery/verdict.ts';
import type { Instant, StoredPart } from '../session/session.ts';

export type { ForgeryVerdict } from '../forgery/verdict.ts';

export { SESSION_METADATA } from '../session/object-attributes.ts';

export const OBJECT_STORE_FAILURES = [
  /** The object store does not know the multipart upload (completed, aborted, deleted by a rule or lost), or has damaged it beyond use. */
  'upload-missing',
  /** Complete named a part that is not stored with that ETag and checksum, or is too small. The upload stays usable. */
  'part-invalid',
  /** A conditional Complete found an object. The upload stays usable. */
  'object-exists',
  /** The object's checksum differs from the parts'. The upload stays usable. */
  'checksum-mismatch',
  'bucket-missing',
  /** The key lacks a right, or the request itself is wrong: another attempt does not help. */
  'refused',
  'full',
  /** No answer, or one that means "later". Whether a write happened is unknown. */
  'unavailable',
] as const;
export type ObjectStoreFailure = (typeof OBJECT_STORE_FAILURES)[number];

export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError';
  readonly failure: ObjectStoreFailure;
  /** The code with which this host refuses the object store's certificate, if that is why it is `unavailable`. */
  readonly certificateError: string | undefined;

  /** `message` has the object store's own code and text, never a URL or a signature. */
  constructor(
    failure: ObjectStoreFailure,
    message: string,
    { certificateError, ...options }: { cause?: unknown; certificateError?: string | undefined } = {},
  ) {
    super(message, options);
    this.failure = failure;
    this.certificateError = certificateError;
  }
}

export interface NewUpload {
  readonly key: string;
  readonly contentType: string | null;
  /** The whole header value, ASCII. */
  readonly contentDisposition: string | null;
  /** Any Unicode text; the adapter encodes characters that headers cannot carry. */
  readonly metadata: Readonly<Record<string, string>>;
  /** At most 10, of the characters that `findTagsFault` accepts. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface PartToPresign {
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
  readonly contentLength: number;
  /**
   * Base64 CRC32. With it, the URL accepts these bytes and no others. Without it, the sender of the part must add the header
   * `x-amz-checksum-crc32`: the object store accepts no part without one.
   */
  readonly checksum?: string;
  /** 1 to 604,800 (seven days). */
  readonly expiresInSeconds: number;
}

/** A URL for a PUT. */
export interface PresignedUrl {
  readonly url: string;
  /** All headers to send, lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** By our clock. The object store checks it when a request starts: one that starts in time may end later. */
  readonly expiresAt: Instant;
}

export interface CompleteInput {
  readonly key: string;
  readonly uploadId: string;
  /** Every part of the plan, ascending, as the object store listed it. */
  readonly parts: readonly StoredPart[];
  /** Base64 CRC32 of the whole object; the object store refuses if its own differs. */
  readonly checksum: string;
  /** Refuse with `object-exists` if the key is taken. */
  readonly onlyIfAbsent: boolean;
}

export interface ObjectHead {
  readonly size: number;
  readonly etag: string;
  /** Base64 CRC32 of the whole object, computed by the object store; null for objects that were stored without one. */
  readonly checksum: string | null;
  /** Names are always lower case. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The credentials that sign part URLs, and their other rights, which are tried. */
export interface SigningReport {
  /** A temporary session that can only put, a separate key pair, or the key of the control plane itself. */
  readonly credentials: 'sts' | 'key' | 'shared';
  /** By our clock; null for keys, which do not expire. */
  readonly expiresAt: Instant | null;
  /** All three should be false: as far as the object store lets a part URL be changed, its holder has the rights of the signer. */
  readonly canRead: boolean;
  readonly canList: boolean;
  readonly canDelete: boolean;
}

/**
 * The S3 calls that partway needs, on one bucket. Every method may throw ObjectStoreError with failure `unavailable`,
 * `refused` or `bucket-missing`; further failures are named. No method retries for longer than one request may take.
 */
export interface ObjectStore {
  readonly bucket: string;
  /** Prefix of the keys that the credentials are for; an empty prefix means no limit. */
  readonly keyPrefix: string;

  /**
   * Not idempotent: each call creates another upload, even if its answer is lost. The upload has CRC32 / FULL_OBJECT, which also closes
   * the copy-source hole. `initiatedAt` is by our clock, and never later than the object store's own. @throws also `full`
   */
  createMultipartUpload(upload: NewUpload): Promise<{ uploadId: string; initiatedAt: Instant }>;

  /**
   * Does not contact the object store, except occasionally to renew signing credentials; the upload may not exist. The URL puts that part,
   * of that length, and nothing else. It ends no later than the credentials do.
   * @throws RangeError for a part number, length or lifetime that S3 does not allow: a bug of the caller.
   */
  presignPart(part: PartToPresign): Promise<PresignedUrl>;

  /** All parts, ascending. Thousands of parts cost the object store a lot: never poll this. @throws also `upload-missing` */
  listParts(key: string, uploadId: string): Promise<StoredPart[]>;

  /**
   * Not idempotent: a repeat of a successful call fails with `upload-missing` or `object-exists`.
   * @throws also `upload-missing`, `part-invalid`, `object-exists`, `checksum-mismatch`, `full`
   */
  completeMultipartUpload(input: CompleteInput): Promise<void>;

  /** Idempotent: succeeds for an upload that does not exist. Never touches an object. */
  abortMultipartUpload(key: string, uploadId: string): Promise<void>;

  /** Unfinished uploads of exactly this key. `initiatedAt` is the object store's own record, converted to our clock. */
  listMultipartUploads(key: string): Promise<{ uploadId: string; initiatedAt: Instant }[]>;

  /** Undefined if there is no object at the key. */
  headObject(key: string): Promise<ObjectHead | undefined>;

  /**
   * Finds an object above the key (`a` for `a/b`) or below it: MinIO would list only the upper one of the two (measured). Undefined if
   * there is none, or if the credentials may not look.
   */
  findKeyConflict(key: string): Promise<string | undefined>;

  /** Throws unless the bucket exists and the credentials may use it. */
  checkBucket(): Promise<void>;

  /** Asks for the object store's clock, and returns it minus ours in milliseconds. Exact to about a second. */
  readClock(): Promise<number>;

  /** Throws if presigning would: makes sure that there are credentials, obtaining them if necessary. Does not try their rights. */
  checkSigning(): Promise<void>;

  /**
   * Tries the rights of the signing credentials: a handful of requests, which the object store may count as refused. Touches no object.
   * @throws ObjectStoreError as presigning would, and `refused` if the object store does not know the credentials.
   */
  signing(): Promise<SigningReport>;

  /**
   * Finds out whether the object store accepts a write with a forged signature of the credentials that sign part URLs. Sends a forged part
   * of an upload that does not exist, so nothing changes. @throws ObjectStoreError as presigning would
   */
  tryForgery(): Promise<ForgeryVerdict>;
}
