import { MAX_PRESIGN_BATCH } from '../../../contract/paths.ts';
import type * as wire from '../../../contract/wire.ts';
import { type PartPlan, partRange, S3_LIMITS } from '../../../session/part-plan.ts';
import { missingRanges, type PartNumberRange } from '../../../session/part-ranges.ts';
import {
  consistent,
  InvalidAnswer,
  instant,
  integer,
  list,
  nullable,
  object,
  oneOf,
  optional,
  type Read,
  record,
  text,
} from './read.ts';
import { bytes, crc32, etag, partNumber, sessionId, status } from './session.ts';

const MAX_URL_LENGTH = 16 * 1024;
const MAX_HEADERS = 20;
const MAX_HEADER_LENGTH = 4 * 1024;
/** The headers that the server signs. Anything else (`host`, `authorization`, `transfer-encoding` …) could turn the request into another one. */
const PART_HEADER = /^(?:content-length|x-amz-[a-z0-9-]+)$/;
/** One line of visible ASCII, as Node demands it: a line break would begin a header of its own. */
const HEADER_VALUE = /^[\x20-\x7e]*$/;

const range: Read<PartNumberRange> = object<PartNumberRange>({ first: partNumber, last: partNumber });
const storedPart: Read<wire.WireStoredPart> = object<wire.WireStoredPart>({
  partNumber,
  etag,
  checksum: nullable(crc32),
  size: bytes,
});

/** The parts that the store holds of one session. Every number is within S3's limits; `checkListing` compares them with the plan. */
export const partList: Read<wire.PartsResponse> = consistent(
  object<wire.PartsResponse>({
    sessionId,
    status,
    storedBytes: bytes,
    parts: list(storedPart, S3_LIMITS.maxPartCount),
    missing: list(range, S3_LIMITS.maxPartCount),
    // Older servers leave these two out.
    unproven: optional(list(storedPart, S3_LIMITS.maxPartCount)) as Read<wire.WireStoredPart[]>,
    generation: optional(integer(1, Number.MAX_SAFE_INTEGER)) as Read<number>,
  }),
  (answer) => findDisorder(answer.missing),
);

/** Checks that ranges are in order and apart: then they cannot hold more numbers than there are. */
function findDisorder(ranges: readonly PartNumberRange[]): string | undefined {
  let before = 0;
  for (const { first, last } of ranges) {
    if (first <= before || last < first) return `the missing parts ${first} to ${last} are out of order`;
    before = last;
  }
  return undefined;
}

/** @throws InvalidAnswer where the list is of another plan. */
export function checkListing(listing: wire.PartsResponse, plan: PartPlan): void {
  if (fitsPlan(listing, plan)) return;
  throw new InvalidAnswer(`the stored and the missing parts do not make up the ${plan.partCount} of the plan`);
}

/** Whether every part of the plan is stored or missing, and no other is either. */
export function fitsPlan(listing: wire.PartsResponse, { partCount }: PartPlan): boolean {
  const stored = new Set(listing.parts.map((part) => part.partNumber));
  const gaps = missingRanges(partCount, stored);
  return (
    stored.size === listing.parts.length &&
    Math.max(0, ...stored) <= partCount &&
    gaps.length === listing.missing.length &&
    gaps.every(({ first, last }, index) => first === listing.missing[index]?.first && last === listing.missing[index]?.last)
  );
}

const partUrl: Read<string> = (value, field) => {
  const url = text(MAX_URL_LENGTH)(value, field);
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // The query is a secret, so the URL is not shown.
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== '')
    throw new InvalidAnswer(`"${field}" must be an address with http:// or https://`);
  return url;
};

const headers: Read<Record<string, string>> = consistent(record(text(MAX_HEADER_LENGTH), MAX_HEADERS), (given) => {
  for (const [name, value] of Object.entries(given)) {
    if (!PART_HEADER.test(name.toLowerCase())) return `the header ${JSON.stringify(name)} is none that a part is sent with`;
    if (!HEADER_VALUE.test(value)) return `the header ${name} holds characters that no header may have`;
  }
  return undefined;
});

const presignedPart: Read<wire.PresignedPart> = object<wire.PresignedPart>({
  partNumber,
  method: oneOf(['PUT']),
  url: partUrl,
  headers,
  start: bytes,
  end: bytes,
  expiresAt: instant,
});

export const presignedParts: Read<wire.PresignResponse> = object<wire.PresignResponse>({
  parts: list(presignedPart, MAX_PRESIGN_BATCH),
});

/** Checks that the bytes and the length that are signed are those of the plan: others could not be sent. @throws InvalidAnswer */
export function checkSigned(parts: readonly wire.PresignedPart[], plan: PartPlan, size: number): readonly wire.PresignedPart[] {
  for (const part of parts) {
    if (part.partNumber > plan.partCount) throw new InvalidAnswer(`part ${part.partNumber} is signed, and not in the plan`);
    const { start, end } = partRange(plan, size, part.partNumber);
    const length = lengthOf(part.headers);
    if (part.start === start && part.end === end && (length === undefined || length === String(end - start))) continue;
    throw new InvalidAnswer(`part ${part.partNumber} is signed for other bytes than those of the plan`);
  }
  return parts;
}

function lengthOf(given: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(given).find(([name]) => name.toLowerCase() === 'content-length')?.[1];
}
