import type * as wire from '../../contract/wire.ts';

/*
 * The cost of a request beyond the one point that every request costs, in points of the request limit. A point is about half a
 * millisecond of the server's time at most (measured); fractions are dropped, so small requests cost one point.
 */

/** Pays for parsing and checking, also of a body that is refused. */
export function costOfBody(bytes: number): number {
  return bytes / 4_096;
}

export function costOfPresign({ partNumbers }: Pick<wire.PresignRequest, 'partNumbers'>): number {
  return partNumbers.length / 10;
}

/** Pays for three calls of the object store (list, create and abort an upload); the old upload also stays on record until it is swept. */
export const COST_OF_REPLAN = 10;

/** Pays for one row per part. */
export function costOfReport({ parts }: Pick<wire.ReportRequest, 'parts'>): number {
  return (parts?.length ?? 0) / 20;
}

/** Pays for reading and showing the sessions: 200 of them take 2.3 ms (measured). @param limit Number of sessions that the client asked for. */
export function costOfList({ limit }: { readonly limit: number }): number {
  return limit / 40;
}

/** Pays for asking the object store about each segment above the last (`findKeyConflict`); keys of everyday depth cost nothing more. */
export function costOfCreate({
  key,
  keyTemplate,
  fileName,
}: Pick<wire.CreateRequest, 'key' | 'keyTemplate' | 'fileName'>): number {
  const path = key ?? (keyTemplate ?? '{fileName}').replaceAll('{fileName}', () => fileName);
  return Math.max(0, path.split('/').length - EVERYDAY_SEGMENTS);
}

const EVERYDAY_SEGMENTS = 8;
