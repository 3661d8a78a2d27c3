import type { Instant, StoredPart } from '../../session/session.ts';
import type { PartRow } from '../sql/session-rows.ts';

/** Parts as an array for each column, so that one statement takes any number of them. */
export interface PartColumns {
  readonly partNumbers: readonly number[];
  readonly etags: readonly string[];
  readonly checksums: readonly (string | null)[];
  readonly sizes: readonly number[];
}

/** Converts parts to columns. Of parts with the same number the last one counts, because one statement cannot write a row twice. */
export function toPartColumns(parts: readonly StoredPart[]): PartColumns {
  const unique = [...new Map(parts.map((part) => [part.partNumber, part])).values()];
  return {
    partNumbers: unique.map((part) => part.partNumber),
    etags: unique.map((part) => part.etag),
    checksums: unique.map((part) => part.checksum),
    sizes: unique.map((part) => part.size),
  };
}

export type RecordedPart = PartRow & { readonly recorded_at: Instant };

/**
 * Compares a listing taken at `at` with the recorded parts, and returns the differences: few, because a listing mostly repeats the record.
 * Done here, under the session's lock: PostgreSQL expects few parts in a session, and would compare each of 10,000 with every other.
 */
export function compareListing(
  recorded: readonly RecordedPart[],
  listed: readonly StoredPart[],
  at: Instant,
): { gone: number[]; changed: StoredPart[] } {
  const before = new Map(recorded.map((row) => [row.part_number, row]));
  const numbers = new Set(listed.map((part) => part.partNumber));
  const gone = recorded.filter((row) => row.recorded_at <= at && !numbers.has(row.part_number));
  return {
    gone: gone.map((row) => row.part_number),
    changed: listed.filter((part) => {
      const old = before.get(part.partNumber);
      return old === undefined || (old.recorded_at <= at && !isSame(old, part));
    }),
  };
}

function isSame(row: PartRow, part: StoredPart): boolean {
  return row.etag === part.etag && row.checksum === part.checksum && row.size === part.size;
}
