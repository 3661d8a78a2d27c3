import { createHash, randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import {
  type CompleteInput,
  type ForgeryVerdict,
  type NewUpload,
  type ObjectHead,
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreFailure,
  type PartToPresign,
  type PresignedUrl,
  type SigningReport,
} from '../../../src/object-store/port.ts';
import { combineCrc32, decodeCrc32, EMPTY_CRC32, encodeCrc32 } from '../../../src/session/crc32.ts';
import type { Instant, StoredPart } from '../../../src/session/session.ts';

export type ObjectStoreMethod = Exclude<keyof ObjectStore, 'bucket' | 'keyPrefix'>;

export interface FakeCall {
  readonly method: ObjectStoreMethod;
  readonly key?: string;
  readonly uploadId?: string;
}

export interface FakeObjectStoreOptions {
  readonly bucket?: string;
  readonly keyPrefix?: string;
  readonly now?: () => Instant;
  /** The minimum size of every part but the last: S3's by default, smaller for tests that need many parts. */
  readonly minPartSize?: number;
  /** The endpoint in presigned URLs. Nothing answers there unless a test starts a server. */
  readonly publicEndpoint?: string;
}

interface FakePart extends StoredPart {
  readonly checksum: string;
  readonly bytes: Uint8Array;
}

interface FakeUpload extends NewUpload {
  readonly initiatedAt: Instant;
  readonly parts: Map<number, FakePart>;
}

interface FakeObject extends ObjectHead {
  readonly bytes: Uint8Array;
  readonly attributes: FakeAttributes;
}

type FakeAttributes = Pick<NewUpload, 'contentType' | 'contentDisposition' | 'tags'>;

interface Fault {
  readonly error: Error;
  readonly afterEffect: boolean;
}

/**
 * The object store port in memory, with the awkward behaviour of MinIO (minio-facts: a second Complete, an Abort after Complete,
 * checksums), checked by the same test suite. Beyond the port it can put a part, lose uploads and inject faults.
 */
export class FakeObjectStore implements ObjectStore {
  readonly bucket: string;
  readonly keyPrefix: string;
  /** Returned by `readClock`. */
  clockOffsetMs = 0;
  /** Returned by `tryForgery`. */
  forgeryVerdict: ForgeryVerdict = 'no-hole';
  /** Returned by `signing`. */
  signingReport: SigningReport = { credentials: 'key', expiresAt: null, canRead: false, canList: false, canDelete: false };
  /** Every call in order, including failed ones, for tests of the write order. */
  readonly calls: FakeCall[] = [];
  bucketMissing = false;
  readonly #now: () => Instant;
  readonly #minPartSize: number;
  readonly #publicEndpoint: string;
  readonly #uploads = new Map<string, FakeUpload>();
  readonly #ghosts = new Map<string, Pick<FakeUpload, 'key' | 'initiatedAt'>>();
  readonly #objects = new Map<string, FakeObject>();
  readonly #faults = new Map<ObjectStoreMethod, Fault[]>();
  readonly #hooks = new Map<ObjectStoreMethod, (() => unknown)[]>();

  constructor(options: FakeObjectStoreOptions = {}) {
    this.bucket = options.bucket ?? 'bucket';
    this.keyPrefix = options.keyPrefix ?? '';
    this.#now = options.now ?? Date.now;
    this.#minPartSize = options.minPartSize ?? 5 * 1024 ** 2;
    this.#publicEndpoint = options.publicEndpoint ?? 'http://fake-object-store.invalid';
  }

  // Access without the control plane: the clients' PUTs, and the objects.

  /** Stores a part, as a PUT to its presigned URL would. */
  putPart(key: string, uploadId: string, partNumber: number, bytes: Uint8Array): StoredPart {
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    const part: FakePart = { partNumber, etag, checksum: encodeCrc32(crc32(bytes)), size: bytes.length, bytes };
    this.#upload(key, uploadId).parts.set(partNumber, part);
    return withoutBytes(part);
  }

  /** Returns the object's bytes. */
  read(key: string): Uint8Array | undefined {
    return this.#objects.get(key)?.bytes;
  }

  /** Returns the object's attributes, without its bytes and its metadata. */
  attributes(key: string): FakeAttributes | undefined {
    return this.#objects.get(key)?.attributes;
  }

  /** Stores an object that another program than partway wrote: it has no checksum. */
  putObject(key: string, bytes: Uint8Array, metadata: Readonly<Record<string, string>> = {}): void {
    const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
    const attributes = { contentType: null, contentDisposition: null, tags: {} };
    this.#objects.set(key, { size: bytes.length, etag, checksum: null, metadata, attributes, bytes });
  }

  // Faults.

  /** Makes the next call of that method fail, before its effect or after it (a lost answer). Several faults queue up. */
  failNext(method: ObjectStoreMethod, failure: ObjectStoreFailure | Error, { afterEffect = false } = {}): void {
    const error = failure instanceof Error ? failure : new ObjectStoreError(failure, `injected: ${failure}`);
    push(this.#faults, method, { error, afterEffect });
  }

  /** Runs and awaits `hook` when the next call of that method arrives, before its effect: for races. */
  beforeNext(method: ObjectStoreMethod, hook: () => unknown): void {
    push(this.#hooks, method, hook);
  }

  /** Removes the upload and its parts, as the store's own sweep of stale uploads does. */
  sweepUpload(uploadId: string): void {
    this.#uploads.delete(uploadId);
  }

  /** Loses one part, as MinIO may when it is killed during Complete. */
  losePart(uploadId: string, partNumber: number): void {
    this.#uploads.get(uploadId)?.parts.delete(partNumber);
  }

  /**
   * Acts as if a part had arrived just as its upload was completed or aborted: MinIO keeps the part and lists the upload again, although
   * it does not exist, until it is aborted (once more).
   */
  haunt(key: string, uploadId: string): void {
    this.#ghosts.set(uploadId, { key, initiatedAt: this.#now() });
  }

  /** All uploads of any key that hold space: unfinished ones, and remains of others. */
  get uploadIds(): string[] {
    return [...this.#uploads.keys(), ...this.#ghosts.keys()];
  }

  callsOf(method: ObjectStoreMethod): FakeCall[] {
    return this.calls.filter((call) => call.method === method);
  }

  // The port.

  createMultipartUpload(upload: NewUpload): Promise<{ uploadId: string; initiatedAt: Instant }> {
    return this.#run({ method: 'createMultipartUpload', key: upload.key }, () => {
      const uploadId = `fake-upload-${randomUUID()}`;
      const initiatedAt = this.#now();
      this.#uploads.set(uploadId, { ...upload, initiatedAt, parts: new Map() });
      return { uploadId, initiatedAt };
    });
  }

  presignPart(part: PartToPresign): Promise<PresignedUrl> {
    const { key, uploadId, partNumber, contentLength, checksum, expiresInSeconds } = part;
    return this.#run({ method: 'presignPart', key, uploadId }, () => {
      checkPart(part);
      const path = `${this.bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
      const expiresAt = Math.floor(this.#now() / 1000) * 1000 + expiresInSeconds * 1000;
      return {
        url: `${this.#publicEndpoint}/${path}?partNumber=${partNumber}&uploadId=${uploadId}&expiresAt=${expiresAt}`,
        headers: {
          'content-length': String(contentLength),
          ...(checksum === undefined ? {} : { 'x-amz-checksum-crc32': checksum }),
        },
        expiresAt,
      };
    });
  }

  listParts(key: string, uploadId: string): Promise<StoredPart[]> {
    return this.#run({ method: 'listParts', key, uploadId }, () =>
      [...this.#upload(key, uploadId).parts.values()].sort((a, b) => a.partNumber - b.partNumber).map(withoutBytes),
    );
  }

  completeMultipartUpload(input: CompleteInput): Promise<void> {
    const { key, uploadId } = input;
    return this.#run({ method: 'completeMultipartUpload', key, uploadId }, () => {
      // The order matters: a repeated conditional Complete finds its own object, not the missing upload (measured).
      if (input.onlyIfAbsent && this.#objects.has(key)) throw new ObjectStoreError('object-exists', 'PreconditionFailed');
      const upload = this.#upload(key, uploadId);
      const parts = this.#namedParts(upload, input.parts);
      const checksum = encodeCrc32(
        parts.reduce((crc, part) => combineCrc32(crc, decodeCrc32(part.checksum), part.size), EMPTY_CRC32),
      );
      if (checksum !== input.checksum) throw new ObjectStoreError('checksum-mismatch', 'XAmzContentChecksumMismatch');
      const bytes = Buffer.concat(parts.map((part) => part.bytes));
      this.#objects.set(key, {
        size: bytes.length,
        etag: multipartEtag(parts),
        checksum,
        metadata: lowerCaseNames(upload.metadata),
        attributes: attributesOf(upload),
        bytes,
      });
      this.#uploads.delete(uploadId);
    });
  }

  abortMultipartUpload(key: string, uploadId: string): Promise<void> {
    return this.#run({ method: 'abortMultipartUpload', key, uploadId }, () => {
      for (const uploads of [this.#uploads, this.#ghosts]) if (uploads.get(uploadId)?.key === key) uploads.delete(uploadId);
    });
  }

  listMultipartUploads(key: string): Promise<{ uploadId: string; initiatedAt: Instant }[]> {
    return this.#run({ method: 'listMultipartUploads', key }, () =>
      [...this.#uploads, ...this.#ghosts]
        .filter(([, upload]) => upload.key === key)
        .map(([uploadId, { initiatedAt }]) => ({ uploadId, initiatedAt })),
    );
  }

  headObject(key: string): Promise<ObjectHead | undefined> {
    return this.#run({ method: 'headObject', key }, () => {
      const object = this.#objects.get(key);
      return object && headOf(object);
    });
  }

  findKeyConflict(key: string): Promise<string | undefined> {
    return this.#run({ method: 'findKeyConflict', key }, () =>
      [...this.#objects.keys()].find((other) => key.startsWith(`${other}/`) || other.startsWith(`${key}/`)),
    );
  }

  checkBucket(): Promise<void> {
    return this.#run({ method: 'checkBucket' }, () => undefined);
  }

  checkSigning(): Promise<void> {
    return this.#run({ method: 'checkSigning' }, () => undefined);
  }

  readClock(): Promise<number> {
    return this.#run({ method: 'readClock' }, () => this.clockOffsetMs);
  }

  signing(): Promise<SigningReport> {
    return this.#run({ method: 'signing' }, () => this.signingReport);
  }

  /** Is not recorded in `calls`, because the server calls it now and then, whatever a test does. */
  tryForgery(): Promise<ForgeryVerdict> {
    return Promise.resolve(this.forgeryVerdict);
  }

  async #run<T>(call: FakeCall, effect: () => T): Promise<T> {
    this.calls.push(call);
    await this.#hooks.get(call.method)?.shift()?.();
    const fault = this.#faults.get(call.method)?.shift();
    if (fault && !fault.afterEffect) throw fault.error;
    // Presigning sends no request, and credentials without the right to read do not learn whether the bucket exists.
    if (this.bucketMissing && !['presignPart', 'checkSigning', 'signing'].includes(call.method))
      throw new ObjectStoreError('bucket-missing', 'NoSuchBucket');
    const result = effect();
    if (fault) throw fault.error;
    return result;
  }

  #upload(key: string, uploadId: string): FakeUpload {
    const upload = this.#uploads.get(uploadId);
    if (upload?.key !== key) throw new ObjectStoreError('upload-missing', 'NoSuchUpload');
    return upload;
  }

  #namedParts(upload: FakeUpload, named: readonly StoredPart[]): FakePart[] {
    let previous = 0;
    return named.map(({ partNumber, etag, checksum }, index) => {
      const part = upload.parts.get(partNumber);
      if (partNumber < previous) throw new ObjectStoreError('part-invalid', 'InvalidPartOrder');
      if (part?.etag !== etag || part.checksum !== checksum) throw new ObjectStoreError('part-invalid', 'InvalidPart');
      if (part.size < this.#minPartSize && index < named.length - 1) throw new ObjectStoreError('part-invalid', 'EntityTooSmall');
      previous = partNumber;
      return part;
    });
  }
}

function checkPart({ uploadId, partNumber, contentLength, expiresInSeconds }: PartToPresign): void {
  const valid =
    uploadId !== '' &&
    [partNumber, contentLength, expiresInSeconds].every(Number.isInteger) &&
    partNumber >= 1 &&
    partNumber <= 10_000 &&
    contentLength >= 0 &&
    expiresInSeconds >= 1 &&
    expiresInSeconds <= 604_800;
  if (!valid) throw new RangeError('not a part that S3 could take');
}

/** Computes the ETag as S3 does: the MD5 of the parts' MD5s, and the number of parts. */
function multipartEtag(parts: readonly StoredPart[]): string {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(Buffer.from(etag.replaceAll('"', ''), 'hex'));
  return `"${hash.digest('hex')}-${parts.length}"`;
}

function lowerCaseNames(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value]));
}

function attributesOf({ contentType, contentDisposition, tags }: FakeAttributes): FakeAttributes {
  return { contentType, contentDisposition, tags };
}

function headOf({ attributes: _, ...object }: FakeObject): ObjectHead {
  return withoutBytes(object);
}

function withoutBytes<T extends { bytes: Uint8Array }>({ bytes: _, ...rest }: T): Omit<T, 'bytes'> {
  return rest;
}

function push<K, V>(queues: Map<K, V[]>, key: K, value: V): void {
  const queue = queues.get(key);
  if (queue) queue.push(value);
  else queues.set(key, [value]);
}
