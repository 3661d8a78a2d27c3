import type { ForgeryVerdict } from '../forgery/verdict.ts';
import type { Instant, StoredPart } from '../session/session.ts';

export type { ForgeryVerdict } from '../forgery/verdict.ts';

export { SESSION_METADATA } from '../session/object-attributes.ts';

export const OBJECT_STORE_FAILURES = [
  /** The store does not know the multipart upload (completed, aborted, swept or lost), or has damaged it beyond use. */
  'upload-missing',
  /** Complete named a part that is not there with that ETag and checksum, or is too small. The upload stays usable. */
  'part-invalid',
  /** A conditional Complete found an object. The upload stays usable. */
  'object-exists',
  /** The object's checksum differs from the parts'. The upload stays usable. */
  'checksum-mismatch',
  'bucket-missing',
  /** The key lacks a right, or the store says the request itself is wrong: trying again does not help. */
  'refused',
  'full',
  /** No answer, or one that says "later". Whether a write happened is unknown. */
  'unavailable',
] as const;
export type ObjectStoreFailure = (typeof OBJECT_STORE_FAILURES)[number];

export class ObjectStoreError extends Error {
  override readonly name = 'ObjectStoreError';
  readonly failure: ObjectStoreFailure;
  /** The code by which this computer refuses the store's certificate, where that is why it is `unavailable`. */
  readonly certificateError: string | undefined;

  /** `message` carries the store's own code and text, never a URL or a signature. */
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
  /** The whole header, ASCII. */
  readonly contentDisposition: string | null;
  /** Any Unicode text; the adapter encodes what headers cannot carry. */
  readonly metadata: Readonly<Record<string, string>>;
  /** At most 10, of the characters that `findTagsFault` lets through. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface PartToPresign {
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
  readonly contentLength: number;
  /**
   * Base64 CRC32. With it, the URL takes these bytes and no others. Without it, whoever sends the part adds the header
   * `x-amz-checksum-crc32` by himself: the store takes no part without one.
   */
  readonly checksum?: string;
  /** 1 to 604,800 (seven days). */
  readonly expiresInSeconds: number;
}

/** To be used with PUT. */
export interface PresignedUrl {
  readonly url: string;
  /** All headers to send, lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** By our clock. The store looks at it when a request starts: one that starts in time may end later. */
  readonly expiresAt: Instant;
}

export interface CompleteInput {
  readonly key: string;
  readonly uploadId: string;
  /** Every part of the plan, ascending, as the store listed it. */
  readonly parts: readonly StoredPart[];
  /** Base64 CRC32 of the whole object; the store refuses if its own differs. */
  readonly checksum: string;
  /** Refuse with `object-exists` where the key is taken. */
  readonly onlyIfAbsent: boolean;
}

export interface ObjectHead {
  readonly size: number;
  readonly etag: string;
  /** Base64 CRC32 of the whole object, as the store computed it; null for objects that were put there without one. */
  readonly checksum: string | null;
  /** Names are lower case, whatever they were when given. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What part URLs are signed with, and what else that is good for, found out by trying. */
export interface SigningReport {
  /** A temporary session that can only put; a key pair of its own; or the key of the control plane itself. */
  readonly credentials: 'sts' | 'key' | 'shared';
  /** By our clock; null for keys, which do not end. */
  readonly expiresAt: Instant | null;
  /** All three should be false: whoever holds a part URL can use what its signer may do, as far as the store lets it be bent. */
  readonly canRead: boolean;
  readonly canList: boolean;
  readonly canDelete: boolean;
}

/**
 * The S3 calls that partway needs, on one bucket. Every method may throw ObjectStoreError with failure `unavailable`,
 * `refused` or `bucket-missing`; further failures are named. Nothing here is retried for longer than a request may take.
 */
export interface ObjectStore {
  readonly bucket: string;
  /** What the credentials are good for begins with it; the empty one is no limit. */
  readonly keyPrefix: string;

  /**
   * Not idempotent: each call makes another upload, also one whose answer was lost. Created with CRC32 / FULL_OBJECT, which
   * also shuts the copy-source hole. `initiatedAt` is by our clock and never later than the store's own. @throws also `full`
   */
  createMultipartUpload(upload: NewUpload): Promise<{ uploadId: string; initiatedAt: Instant }>;

  /**
   * Nothing is known of the upload, as nobody is asked for it; only for new signing credentials, now and then. The URL puts that
   * part, of that length, and nothing else. It ends no later than the credentials do.
   * @throws RangeError for a part number, length or lifetime that S3 does not have: a bug of the caller.
   */
  presignPart(part: PartToPresign): Promise<PresignedUrl>;

  /** All parts, ascending. Costly for the store when there are thousands: never poll it. @throws also `upload-missing` */
  listParts(key: string, uploadId: string): Promise<StoredPart[]>;

  /** Not idempotent: a repeat of one that succeeded says `upload-missing` or `object-exists`. @throws also `upload-missing`, `part-invalid`, `object-exists`, `checksum-mismatch`, `full` */
  completeMultipartUpload(input: CompleteInput): Promise<void>;

  /** Idempotent: an upload that is not there is success. Never touches an object. */
  abortMultipartUpload(key: string, uploadId: string): Promise<void>;

  /** Unfinished uploads of exactly this key. `initiatedAt` is the store's own record, put on our clock. */
  listMultipartUploads(key: string): Promise<{ uploadId: string; initiatedAt: Instant }[]>;

  /** Undefined where the key holds no object. */
  headObject(key: string): Promise<ObjectHead | undefined>;

  /**
   * An object above the key (`a` of `a/b`) or below it: MinIO would list only the upper one of the two (measured). Undefined
   * where there is none, and where the credentials may not look.
   */
  findKeyConflict(key: string): Promise<string | undefined>;

  /** Throws unless the bucket is there and the credentials may use it. */
  checkBucket(): Promise<void>;

  /** The store's clock minus ours, in milliseconds, by an answer of now. Exact to about a second. */
  readClock(): Promise<number>;

  /** Throws where presigning would: credentials are there, or are asked for. What they are good for is not tried. */
  checkSigning(): Promise<void>;

  /**
   * Costs a handful of requests, which a store may count as refused. Touches no object.
   * @throws ObjectStoreError as presigning would; `refused` also where the store does not know the credentials.
   */
  signing(): Promise<SigningReport>;

  /**
   * Whether the store takes a write that names the credentials which sign part URLs, and that they did not sign. Found out by a forged
   * part of an upload that does not exist: nothing is changed. @throws ObjectStoreError as presigning would
   */
  tryForgery(): Promise<ForgeryVerdict>;
}
