import { isSessionId, MAX_LIST_PAGE } from '../../../contract/paths.ts';
import type * as wire from '../../../contract/wire.ts';
import { CHECKSUM_PATTERN } from '../../../session/checksum.ts';
import { STATUSES } from '../../../session/machine.ts';
import { S3_LIMITS } from '../../../session/part-plan.ts';
import { STRATEGIES } from '../../../session/strategy.ts';
import { consistent, InvalidAnswer, instant, integer, list, nullable, object, oneOf, quantity, type Read, text } from './read.ts';

/** Ids become file names, paths of URLs and words of commands. */
export const sessionId: Read<string> = (value, field) => {
  if (isSessionId(value)) return value;
  const shown = (JSON.stringify(value) ?? 'missing').slice(0, 60);
  throw new InvalidAnswer(`"${field}" cannot be the id of an upload session, and is ${shown}`);
};
export const bytes = integer(0, S3_LIMITS.maxObjectSize);
export const partNumber = integer(1, S3_LIMITS.maxPartCount);
export const status = oneOf(STATUSES);
export const crc32 = text(8, CHECKSUM_PATTERN);
export const etag = text(200);
export const bucket = text(255);
export const key = text(1_024);
const count = integer(0, S3_LIMITS.maxPartCount);

export const session: Read<wire.Session> = consistent(
  object<wire.Session>({
    sessionId,
    status,
    bucket,
    key,
    fileName: text(1_024),
    size: bytes,
    strategy: oneOf(STRATEGIES),
    partSize: bytes,
    partCount: partNumber,
    storedBytes: bytes,
    partsStored: count,
    etag: nullable(etag),
    checksum: nullable(crc32),
    createdAt: instant,
    expiresAt: nullable(instant),
    partsKeptUntil: nullable(instant),
  }),
  findPlanFault,
);

/** Finds an impossible plan, which would lead to loops over nothing, or over a trillion parts. */
function findPlanFault({ size, partSize, partCount }: wire.Session): string | undefined {
  if (size === 0 ? partCount === 1 : partSize > 0 && partCount === Math.ceil(size / partSize)) return undefined;
  return `${size} bytes in parts of ${partSize} are not ${partCount} ${partCount === 1 ? 'part' : 'parts'}`;
}

/** Accepts only an answer about the session that was asked for: its id is already in paths and file names. */
export function about<T extends { readonly sessionId: string }>(asked: string, read: Read<T>): Read<T> {
  return consistent(read, ({ sessionId: answered }) =>
    asked === answered ? undefined : `it is about session ${answered}, and ${asked} was asked for`,
  );
}

export const sessionPage: Read<wire.SessionList> = object<wire.SessionList>({
  uploads: list(session, MAX_LIST_PAGE),
  nextCursor: nullable(text(200)),
});

export const progress: Read<wire.Progress> = object<wire.Progress>({
  sessionId,
  status,
  size: bytes,
  storedBytes: bytes,
  inFlightBytes: quantity,
  partsStored: count,
  partCount: partNumber,
  bytesPerSecond: quantity,
  secondsRemaining: nullable(quantity),
  updatedAt: instant,
});
