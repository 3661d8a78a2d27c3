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
import { EMPTY_CRC32, encodeCrc32 } from '../session/crc32.ts';
import { encodeTags } from '../session/object-attributes.ts';
import type { StoredPart } from '../session/session.ts';
import { createPartUrls } from './part-urls.ts';
import {
  type CompleteInput,
  type NewUpload,
  type ObjectHead,
  type ObjectStore,
  ObjectStoreError,
  type ObjectStoreFailure,
} from './port.ts';
import { COMPLETE_TIMEOUT_MS, createClients, LIST_PARTS_TIMEOUT_MS, type S3Account } from './s3-clients.ts';
import { readStoreClock } from './s3-clock.ts';
import { codeOf, statusOf, toObjectStoreError } from './s3-errors.ts';
import { findKeyConflict } from './s3-key-conflict.ts';
import { decodeMetadata, encodeMetadata } from './s3-metadata.ts';
import type { SigningLog, SigningOptions } from './signing-credentials.ts';

export interface S3ObjectStoreOptions extends S3Account {
  /** What presigned URLs name: the host is part of the signature. A path, if any, is signed too, so a proxy must not strip it. */
  readonly publicEndpoint: string;
  readonly bucket: string;
  /** Any key unless given. Without what has a meaning in policies (`*`, `?`, `$`). */
  readonly keyPrefix?: string;
  /** What part URLs are signed with; the account itself unless given. */
  readonly signing?: SigningOptions;
  /** Told when signing is not as it should be; silent unless given. */
  readonly log?: SigningLog;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Entries to ask for in one page of a listing; the store's own maximum unless given. */
  readonly pageSize?: number;
}

/** Far below the 15 minutes by which a store refuses a signature from the future. */
const CLOCKS_AGREE_WITHIN_MS = 60_000;
const CHECKSUM_OF_NOTHING = encodeCrc32(EMPTY_CRC32);

/** An object store over the S3 API: MinIO, S3 and others. Only this file and its `s3-` siblings know the AWS SDK. */
export function createS3ObjectStore(options: S3ObjectStoreOptions): ObjectStore & { close(): void } {
  const { bucket, keyPrefix = '', now = Date.now, pageSize } = options;
  const { calls, singleCalls } = createClients(options);
  const partUrls = createPartUrls({
    signing: { kind: 'shared' },
    log: { warn: () => {} },
    ...options,
    keyPrefix,
    now,
    clockOffset,
    checkAccount: checkBucket,
  });

  /** The store's clock minus ours, as the SDK learns it from every answer's date: whole seconds, so only a real difference counts. */
  function clockOffset(): number {
    const offset = calls.config.systemClockOffset;
    return Math.abs(offset) < CLOCKS_AGREE_WITHIN_MS ? 0 : offset;
  }

  async function createMultipartUpload({ key, contentType, contentDisposition, metadata, tags }: NewUpload) {
    // By our clock, like every instant beside it, and taken before the call: the store's own sweep, which counts from
    // the upload's initiation, can then only come later than we say.
    const initiatedAt = now();
    const command = new CreateMultipartUploadCommand({
      Bucket: bucket,
      Key: key,
      ...(contentType === null ? {} : { ContentType: contentType }),
      ...(contentDisposition === null ? {} : { ContentDisposition: contentDisposition }),
      ...(Object.keys(tags).length === 0 ? {} : { Tagging: encodeTags(tags) }),
      Metadata: encodeMetadata(metadata),
      // With an algorithm, MinIO refuses every part without that checksum, UploadPartCopy through a presigned URL
      // (header x-amz-copy-source) included; without, it would read any object that our key can read (measured).
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'FULL_OBJECT',
    });
    const { UploadId: uploadId } = await asked(once(() => singleCalls.send(command)));
    if (!uploadId) throw unreadable('CreateMultipartUpload');
    return { uploadId, initiatedAt };
  }

  async function listParts(key: string, uploadId: string): Promise<StoredPart[]> {
    const parts: StoredPart[] = [];
    let marker: string | undefined;
    // By hand: MinIO ends its last page with marker "0", which the SDK's paginator takes as "start again" (measured).
    for (;;) {
      const page: ListPartsCommandOutput = await asked(
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
      const { ETag: etag } = await asked(once(() => singleCalls.send(command, { requestTimeout: COMPLETE_TIMEOUT_MS })));
      if (!etag) throw unreadable('CompleteMultipartUpload');
    } catch (error) {
      // Every checksum is wrong for a damaged upload, and it may have been damaged since its parts were listed.
      if (failureOf(error) === 'checksum-mismatch') await listParts(input.key, input.uploadId);
      throw error;
    }
  }

  async function abortMultipartUpload(key: string, uploadId: string): Promise<void> {
    try {
      await asked(calls.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId })));
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
    const page = await asked(
      // Keys may hold characters that XML cannot, so they travel URL-encoded.
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
        // A composite checksum (of an object that something else put there) says nothing about the bytes as a whole.
        checksum: head.ChecksumType === 'COMPOSITE' ? null : (head.ChecksumCRC32 ?? checksumOfSize(head.ContentLength)),
        metadata: decodeMetadata(head.Metadata ?? {}),
      };
    } catch (error) {
      if (statusOf(error) !== 404) throw toObjectStoreError(error);
      if (codeOf(error) === 'NoSuchKey') return undefined;
      // An answer to HEAD has no body, so this 404 may be about the bucket, or not from S3 at all. Ask what does have one.
      await checkBucket();
      return undefined;
    }
  }

  /** Not HeadBucket: it needs a right (s3:ListBucket) that partway otherwise does without, and its answer has no error code. */
  async function checkBucket(): Promise<void> {
    await listUploadsPage('partway-bucket-check', {});
  }

  return {
    bucket,
    keyPrefix,
    createMultipartUpload,
    presignPart: partUrls.presignPart,
    listParts,
    completeMultipartUpload,
    abortMultipartUpload,
    listMultipartUploads,
    headObject,
    findKeyConflict: (key) => findKeyConflict(calls, bucket, key),
    checkBucket,
    readClock: () => readStoreClock(calls, bucket, now),
    checkSigning: partUrls.checkSigning,
    signing: partUrls.signing,
    tryForgery: partUrls.tryForgery,
    close() {
      partUrls.close();
      calls.destroy();
      singleCalls.destroy();
    },
  };
}

function failureOf(error: unknown): ObjectStoreFailure | undefined {
  return error instanceof ObjectStoreError ? error.failure : undefined;
}

async function asked<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw toObjectStoreError(error);
  }
}

/**
 * Sends once, except that a refusal for the clock is sent again: nothing was done, and from the refusal the SDK has
 * learned the store's time.
 */
async function once<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (codeOf(error) !== 'RequestTimeTooSkewed') throw error;
    return await send();
  }
}

/** The store said yes, but not with what S3 says then: a proxy's page, or an answer cut short. */
function unreadable(call: string): ObjectStoreError {
  return new ObjectStoreError('unavailable', `the object store's answer to ${call} is not S3's`);
}

/**
 * MinIO stops a Complete whose connection breaks. Often it has by then deleted the parts' records and rewritten the upload's,
 * without the checksum algorithm: parts that are sent again are taken, but no Complete with a checksum succeeds any more, and
 * the copy-source hole is open (measured). Stores that name no algorithm leave the element out; only MinIO writes it empty.
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

function toStoredPart({ PartNumber, ETag, Size, ChecksumCRC32 }: Part): StoredPart {
  if (PartNumber === undefined || ETag === undefined || Size === undefined) throw unreadable('ListParts');
  return { partNumber: PartNumber, etag: ETag, checksum: ChecksumCRC32 ?? null, size: Size };
}

/** MinIO refuses a part without the checksum it was stored with (measured). */
function toCompletedPart({ partNumber, etag, checksum }: StoredPart): CompletedPart {
  return { PartNumber: partNumber, ETag: etag, ...(checksum === null ? {} : { ChecksumCRC32: checksum }) };
}

/**
 * MinIO computes no checksum of an object without bytes, and so refuses the right one (measured). What a Complete without
 * checksum could let through there is decided here: nothing has just one CRC32.
 */
function objectChecksum({ parts, checksum }: CompleteInput): { ChecksumCRC32?: string; ChecksumType?: 'FULL_OBJECT' } {
  if (parts.some(({ size }) => size > 0)) return { ChecksumCRC32: checksum, ChecksumType: 'FULL_OBJECT' };
  if (checksum !== CHECKSUM_OF_NOTHING)
    throw new ObjectStoreError('checksum-mismatch', 'the parts are empty, the checksum is not that of nothing');
  return {};
}

function checksumOfSize(size: number): string | null {
  return size === 0 ? CHECKSUM_OF_NOTHING : null;
}

/** A listing's URL encoding is that of a form: a space is a plus. A store that does not encode does not say so either. */
function decodeListed(key: string | undefined, encoding: string | undefined): string {
  return encoding === 'url' ? decodeURIComponent((key ?? '').replaceAll('+', ' ')) : (key ?? '');
}
