import type * as wire from '../../contract/wire.ts';

/*
 * What a request costs beyond the one point of every request, in points of the request limit. A point is about half a millisecond
 * of the server's time at most (measured); fractions add up to nothing, so that small requests count once.
 */

/** Parsing and checking, also of a body that is refused. */
export function costOfBody(bytes: number): number {
  return bytes / 4_096;
}

export function costOfPresign({ partNumbers }: Pick<wire.PresignRequest, 'partNumbers'>): number {
  return partNumbers.length / 10;
}

/** The store lists, creates and aborts an upload for it, and the old one stays on record until it is swept. */
export const COST_OF_REPLAN = 10;

/** Each part is a row. */
export function costOfReport({ parts }: Pick<wire.ReportRequest, 'parts'>): number {
  return (parts?.length ?? 0) / 20;
}

/** The parts of each session are summed. @param limit As many as were asked for. */
export function costOfList({ limit }: { readonly limit: number }): number {
  return limit / 10;
}

/** The store is asked about each segment above the last (`findKeyConflict`); keys of everyday depth cost nothing more. */
export function costOfCreate({
  key,
  keyTemplate,
  fileName,
}: Pick<wire.CreateRequest, 'key' | 'keyTemplate' | 'fileName'>): number {
  const path = key ?? (keyTemplate ?? '{fileName}').replaceAll('{fileName}', () => fileName);
  return Math.max(0, path.split('/').length - EVERYDAY_SEGMENTS);
}

const EVERYDAY_SEGMENTS = 8;
