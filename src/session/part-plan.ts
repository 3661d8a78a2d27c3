import { UploadError } from './errors.ts';
import type { Strategy } from './strategy.ts';

export const MiB = 1024 ** 2;
export const GiB = 1024 ** 3;
const TiB = 1024 ** 4;

/** Amazon S3 multipart upload limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const S3_LIMITS = {
  /** Applies to every part but the last. */
  minPartSize: 5 * MiB,
  /** MinIO accepts larger parts (measured); other object stores do not. */
  maxPartSize: 5 * GiB,
  maxPartCount: 10_000,
  maxObjectSize: 5 * TiB,
} as const;

/** Small enough that a broken connection loses little, large enough that the overhead of requests does not matter. */
const CHUNKED_PART_SIZE = 10 * MiB;
const MULTIPART_MIN_PART_SIZE = 8 * MiB;
/** While the link's speed is unknown. Larger parts cost less CPU, but lose more when a slow link breaks. */
const UNKNOWN_SPEED_MAX_PART_SIZE = 16 * MiB;
/** The default part size of large files. */
export const DEFAULT_PART_SIZE = UNKNOWN_SPEED_MAX_PART_SIZE;
/** Share of the file, so that a lost part is less than one percent of it. */
const UNKNOWN_SPEED_SHARE = 1 / 128;
/** Larger parts gain nothing (measured on loopback: 16 MiB cost 10 % more CPU, 64 MiB the same as 32). */
const FAST_LINK_MAX_PART_SIZE = 32 * MiB;
/** Target time for one part on a link of known speed; fast links need less, because part sizes have a maximum. */
const PART_SECONDS = 1;
/** Longest time for one part on a slow link, so that parts get through between two breaks. */
const LONGEST_PART_SECONDS = 60;
/** Keeps listings fast for files of 100 GiB: an object store reads the metadata of all parts for each page. */
const MULTIPART_TARGET_PART_COUNT = 2_000;

/** How a file is cut into parts: all but the last have `partSize` bytes. Stored with the session, and never changed while parts are stored. */
export interface PartPlan {
  readonly strategy: Strategy;
  /** Bytes. */
  readonly partSize: number;
  /** At least 1: a file of 0 bytes has one part of 0 bytes. */
  readonly partCount: number;
}

/** `start` inclusive, `end` exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Plans the parts of a file of `size` bytes: a pure function of size, strategy and the requested part size or, without one, the
 * expected speed of the link (bytes per second, above 0).
 * @throws UploadError `INVALID_PLAN` if S3's limits do not allow the plan.
 */
export function planParts(size: number, strategy: Strategy, requestedPartSize?: number, bytesPerSecond?: number): PartPlan {
  if (!Number.isSafeInteger(size) || size < 0) throw invalidPlan(`A size must be a whole number of bytes, not ${size}.`);
  if (size > S3_LIMITS.maxObjectSize) throw invalidPlan(`An object can have at most 5 TiB; this one has ${size} bytes.`);
  if (strategy === 'single') return planSingle(size, requestedPartSize);

  const partSize = requestedPartSize ?? defaultPartSize(size, strategy, bytesPerSecond);
  checkPartSize(partSize);
  const partCount = Math.max(1, Math.ceil(size / partSize));
  if (partCount > S3_LIMITS.maxPartCount) {
    const smallest = Math.ceil(size / S3_LIMITS.maxPartCount);
    throw invalidPlan(
      `Parts of ${partSize} bytes make ${partCount} parts; an upload can have at most ${S3_LIMITS.maxPartCount}. ` +
        `The smallest part size for this file is ${smallest} bytes.`,
    );
  }
  return { strategy, partSize, partCount };
}

function planSingle(size: number, requestedPartSize: number | undefined): PartPlan {
  if (requestedPartSize !== undefined && requestedPartSize < size) {
    throw invalidPlan('Strategy "single" has exactly one part, so a part size smaller than the file does not fit it.');
  }
  if (size > S3_LIMITS.maxPartSize) {
    throw invalidPlan('Strategy "single" sends the file as one part, and a part can have at most 5 GiB.');
  }
  return { strategy: 'single', partSize: size, partCount: 1 };
}

function defaultPartSize(size: number, strategy: Exclude<Strategy, 'single'>, bytesPerSecond: number | undefined): number {
  const wanted = strategy === 'chunked' ? CHUNKED_PART_SIZE : multipartPartSize(size, bytesPerSecond);
  const timely = Math.max(S3_LIMITS.minPartSize, (bytesPerSecond ?? Number.POSITIVE_INFINITY) * LONGEST_PART_SECONDS);
  return roundUpToMiB(Math.max(Math.min(wanted, timely), size / S3_LIMITS.maxPartCount));
}

function multipartPartSize(size: number, bytesPerSecond: number | undefined): number {
  const [wanted, most] =
    bytesPerSecond === undefined
      ? [size * UNKNOWN_SPEED_SHARE, UNKNOWN_SPEED_MAX_PART_SIZE]
      : [bytesPerSecond * PART_SECONDS, FAST_LINK_MAX_PART_SIZE];
  return Math.max(MULTIPART_MIN_PART_SIZE, Math.min(most, wanted), size / MULTIPART_TARGET_PART_COUNT);
}

function checkPartSize(partSize: number): void {
  if (!Number.isSafeInteger(partSize) || partSize < S3_LIMITS.minPartSize || partSize > S3_LIMITS.maxPartSize) {
    throw invalidPlan(`A part size must be from 5 MiB to 5 GiB, in whole bytes, not ${partSize}.`);
  }
}

function roundUpToMiB(bytes: number): number {
  return Math.ceil(bytes / MiB) * MiB;
}

function invalidPlan(detail: string): UploadError {
  return new UploadError('INVALID_PLAN', detail);
}

/** Returns the byte range of one part. `partNumber` is 1-based and must be in the plan. */
export function partRange(plan: PartPlan, size: number, partNumber: number): ByteRange {
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > plan.partCount) {
    throw new RangeError(`part ${partNumber} is not in a plan of ${plan.partCount} parts`);
  }
  const start = (partNumber - 1) * plan.partSize;
  return { start, end: Math.min(start + plan.partSize, size) };
}

export function partLength(plan: PartPlan, size: number, partNumber: number): number {
  const { start, end } = partRange(plan, size, partNumber);
  return end - start;
}
