import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListPartsCommand,
  type ListPartsCommandOutput,
  type Part,
} from '@aws-sdk/client-s3';
import { CHECKSUM, EMPTY_CHECKSUM } from '../session/checksum.ts';
import { encodeTags } from '../session/object-attributes.ts';
import type { StoredPart } from '../session/session.ts';
import {
  type CompleteInput,
  type NewUpload,
  type ObjectHead,
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreFailure,
} from './port.ts';
import { createPresigner } from './presigner.ts';
import { COMPLETE_TIMEOUT_MS, createClients, LIST_PARTS_TIMEOUT_MS, type S3Account } from './s3-clients.ts';
import { readStoreClock } from './s3-clock.ts';
import { codeOf, statusOf, toObjectStoreError } from './s3-errors.ts';
import { findKeyConflict } from './s3-key-conflict.ts';
import { decodeMetadata, encodeMetadata } from './s3-metadata.ts';
import type { SigningLog, SigningOptions } from './signing-credentials.ts';

export interface S3ObjectStoreOptions extends S3Account {
  /** The endpoint in presigned URLs. Host and path, if any, are signed, so a proxy must not strip the path. */
  readonly publicEndpoint: string;
  readonly bucket: string;
  /** Allows any key if omitted. Must not contain characters with a meaning in policies (`*`, `?`, `$`). */
  readonly keyPrefix?: string;
  /** How part URLs are signed; with the account itself if omitted. */
  readonly signing?: SigningOptions;
  /** Receives warnings about signing; silent if omitted. */
  readonly log?: SigningLog;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Entries to ask for in one page of a listing; the object store's maximum if omitted. */
  readonly pageSize?: number;
}

/** Tolerated difference; far below the 15 minutes at which an object store refuses a signature from the future. */
const CLOCKS_AGREE_WITHIN_MS = 60_000;

/** Makes an object store over the S3 API: MinIO, S3 and others. Of the server, only this folder knows the AWS SDK. */
export function createS3ObjectStore(options: S3ObjectStoreOptions): ObjectStore & { close(): void } {
  const { bucket, keyPrefix = '', now = Date.now, pageSize } = options;
  const { calls, singleCalls } = createClients(options);
  const presigner = createPresigner({
    signing: { kind: 'shared' },
    log: { warn: () => {} },
    ...options,
    keyPrefix,
    now,
    clockOffset,
    checkAccount: checkBucket,
  });

  /** The object store's clock minus ours, as the SDK learns it from the date of every answer. In whole seconds, so small differences do not count. */
  function clockOffset(): number {
    const offset = calls.config.systemClockOffset;
    return Math.abs(offset) < CLOCKS_AGREE_WITHIN_MS ? 0 : offset;
  }

  async function createMultipartUpload({ key, contentType, contentDisposition, metadata, tags }: NewUpload) {
    // Taken by our clock, like all other instants, and before the call: the object store's own clean-up counts from the upload's
    // initiation, so it can only come later than we say.
    const initiatedAt = now();
    const command = new CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ...(contentType === null ? {} : { ContentType: contentType }),
      ...(contentDisposition === null ? {} : { ContentDisposition: contentDisposition }),
      ...(Object.keys(tags).length === 0 ? {} : { Tagging: encodeTags(tags) }),
      Metadata: encodeMetadata(metadata),
      // With an algorithm, MinIO refuses every part without that checksum, including an UploadPartCopy through a presigned URL (header
      // x-amz-copy-source). Without, that would copy any object that our key can read (measured).
      ChecksumAlgorithm: CHECKSUM.algorithm,
      ChecksumType: 'FULL_OBJECT',
    });
    const { UploadId: uploadId } = await translated(sendOnce(() => singleCalls.send(command)));
    if (!uploadId) throw unreadable('CreateMultipartUpload');
    return { uploadId, initiatedAt };
  }

  async function listParts(key: string, uploadId: string): Promise<StoredPart[]> {
    const parts: StoredPart[] = [];
    let marker: string | undefined;
    // Not with the SDK's paginator: MinIO ends its last page with marker "0", which the paginator takes as "start again" (measured).
    for (;;) {
      const page: ListPartsCommandOutput = await translated(
        calls.send(
          new ListPartsCommand({ Bucket: bucket, Key: key, UploadId: uploadId, PartNumberMarker: marker, MaxParts: pageSize }),
          { requestTimeout: LIST_PARTS_TIMEOUT_MS },
        ),
      );
      if (page.UploadId === undefined) throw unreadable('ListParts');
      if (isDamaged(page)) throw damaged();
      for (const part of page.Parts ?? []) parts.push(toStoredPart(part));
      if (!page.IsTruncated) return parts;
      if (!(Number(page.NextPartNumberMarker) > Number(marker ?? 0))) throw endlessListing('ListParts');
      marker = page.NextPartNumberMarker;
    }
  }

  async function completeMultipartUpload(input: CompleteInput): Promise<void> {
    const command = new CompleteMultipartUploadCommand({
      Bucket: bucket,
      Key: input.key,
      UploadId: input.uploadId,
      MultipartUpload: { Parts: input.parts.map(toCompletedPart) },
      ...objectChecksum(input),
      ...(input.onlyIfAbsent ? { IfNoneMatch: '*' } : {}),
    });
    try {
      const { ETag: etag } = await translated(sendOnce(() => singleCalls.send(command, { requestTimeout: COMPLETE_TIMEOUT_MS })));
      if (!etag) throw unreadable('CompleteMultipartUpload');
    } catch (error) {
      // A damaged upload refuses every checksum, and it may have been damaged after its parts were listed.
      if (failureOf(error) === 'checksum-mismatch') await listParts(input.key, input.uploadId);
      throw error;
    }
  }

  async function abortMultipartUpload(key: string, uploadId: string): Promise<void> {
    try {
      await translated(calls.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId })));
    } catch (error) {
      if (failureOf(error) !== 'upload-missing') throw error;
    }
  }

  async function listMultipartUploads(key: string) {
    const uploads: { uploadId: string; initiatedAt: number }[] = [];
    let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
    for (;;) {
      const page = await listUploadsPage(key, marker);
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        // S3 matches by prefix, MinIO only by the exact key (measured).
        if (decodeListed(Key, page.EncodingType) !== key || !UploadId || !Initiated) continue;
        uploads.push({ uploadId: UploadId, initiatedAt: Initiated.getTime() - clockOffset() });
      }
      if (!page.IsTruncated) return uploads;
      const next = { KeyMarker: decodeListed(page.NextKeyMarker, page.EncodingType), UploadIdMarker: page.NextUploadIdMarker };
      if (next.KeyMarker === marker.KeyMarker && next.UploadIdMarker === marker.UploadIdMarker)
        throw endlessListing('ListMultipartUploads');
      marker = next;
    }
  }

  async function listUploadsPage(
    key: string,
    marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined },
  ): Promise<ListMultipartUploadsCommandOutput> {
    const page = await translated(
      // URL-encoded, because keys may hold characters that XML cannot.
      calls.send(
        new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: key, EncodingType: 'url', MaxUploads: pageSize, ...marker }),
      ),
    );
    if (page.Bucket === undefined) throw unreadable('ListMultipartUploads');
    return page;
  }

  async function headObject(key: string): Promise<ObjectHead | undefined> {
    try {
      const head = await calls.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }));
      if (head.ETag === undefined || head.ContentLength === undefined) throw unreadable('HeadObject');
      return {
        size: head.ContentLength,
        etag: head.ETag,
        // A composite checksum (of an object from another program) is not a checksum of the whole bytes.
        checksum: head.ChecksumType === 'COMPOSITE' ? null : (head[CHECKSUM.s3Field] ?? checksumOfSize(head.ContentLength)),
        metadata: decodeMetadata(head.Metadata ?? {}),
      };
    } catch (error) {
      if (statusOf(error) !== 404) throw toObjectStoreError(error);
      if (codeOf(error) === 'NoSuchKey') return undefined;
      // An answer to HEAD has no body, so this 404 may be about the bucket, or not from S3 at all. A listing has a body and tells.
      await checkBucket();
      return undefined;
    }
  }

  /** Lists uploads. HeadBucket would need a right (s3:ListBucket) that partway does not need otherwise, and answers no error code. */
  async function checkBucket(): Promise<void> {
    await listUploadsPage('partway-bucket-check', {});
  }

  return {
    bucket,
    keyPrefix,
    createMultipartUpload,
    presignPart: presigner.presignPart,
    listParts,
    completeMultipartUpload,
    abortMultipartUpload,
    listMultipartUploads,
    headObject,
    findKeyConflict: (key) => findKeyConflict(calls, bucket, key),
    checkBucket,
    readClock: () => readStoreClock(calls, bucket, now),
    checkSigning: presigner.checkSigning,
    signing: presigner.signing,
    tryForgery: presigner.tryForgery,
    close() {
      presigner.close();
      calls.destroy();
      singleCalls.destroy();
    },
  };
}

function failureOf(error: unknown): ObjectStoreFailure | undefined {
  return error instanceof ObjectStoreError ? error.failure : undefined;
}

/** Turns the SDK's errors into ObjectStoreError. */
async function translated<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toObjectStoreError(error);
  }
}

/**
 * Sends a call once, but sends it again if it was refused for its clock: nothing was done, and the SDK has learned the object store's
 * time from the refusal.
 */
async function sendOnce<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (codeOf(error) !== 'RequestTimeTooSkewed') throw error;
    return await send();
  }
}

/** The error for a success that is not S3's: a proxy's page, or an answer that was cut short. */
function unreadable(call: string): ObjectStoreError {
  return new ObjectStoreError('unavailable', `the object store's answer to ${call} is not S3's`);
}

/**
 * Recognises an upload that MinIO has damaged. MinIO stops a Complete whose connection breaks. By then it has often deleted the records
 * of the parts, and rewritten that of the upload without the checksum algorithm: it accepts parts that are sent again, but no Complete
 * with a checksum succeeds any more, and the copy-source hole is open (measured). Object stores that name no algorithm omit the element;
 * only MinIO writes it empty.
 */
function isDamaged(page: ListPartsCommandOutput): boolean {
  const algorithm: string | undefined = page.ChecksumAlgorithm;
  return algorithm === '';
}

function damaged(): ObjectStoreError {
  return new ObjectStoreError('upload-missing', 'the object store damaged the multipart upload when a Complete was cut off');
}

function endlessListing(call: string): ObjectStoreError {
  return new ObjectStoreError('refused', `the object store's ${call} does not advance`);
}

function toStoredPart({ PartNumber, ETag, Size, [CHECKSUM.s3Field]: checksum }: Part): StoredPart {
  if (PartNumber === undefined || ETag === undefined || Size === undefined) throw unreadable('ListParts');
  return { partNumber: PartNumber, etag: ETag, checksum: checksum ?? null, size: Size };
}

/** MinIO refuses a part without the checksum it was stored with (measured). */
function toCompletedPart({ partNumber, etag, checksum }: StoredPart): CompletedPart {
  return { PartNumber: partNumber, ETag: etag, ...(checksum === null ? {} : { [CHECKSUM.s3Field]: checksum }) };
}

/**
 * MinIO computes no checksum of an empty object, and so refuses the right one (measured). A Complete of empty parts therefore has no
 * checksum, and is compared here: only one CRC32 is that of no bytes.
 */
function objectChecksum({ parts, checksum }: CompleteInput): { [CHECKSUM.s3Field]?: string; ChecksumType?: 'FULL_OBJECT' } {
  if (parts.some(({ size }) => size > 0)) return { [CHECKSUM.s3Field]: checksum, ChecksumType: 'FULL_OBJECT' };
  if (checksum !== EMPTY_CHECKSUM)
    throw new ObjectStoreError('checksum-mismatch', 'the parts are empty, but the checksum is not that of an empty object');
  return {};
}

function checksumOfSize(size: number): string | null {
  return size === 0 ? EMPTY_CHECKSUM : null;
}

/** Decodes a listed key. The URL encoding is that of forms, with a plus for a space; an object store that does not encode names no encoding. */
function decodeListed(key: string | undefined, encoding: string | undefined): string {
  return encoding === 'url' ? decodeURIComponent((key ?? '').replaceAll('+', ' ')) : (key ?? '');
}
