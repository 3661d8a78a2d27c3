import type { Instant, StoredPart } from '../../session/session.ts';
import type { ClientReport, ReportAnswer } from '../port/session-store.ts';
import { type PartRow, SESSION_COLUMNS, type SessionRow } from '../sql/session-rows.ts';
import { statement } from './statement.ts';

export interface Generation {
  readonly sessionId: string;
  readonly generation: number;
}

/** Parts as PostgreSQL takes any number of them in one statement: an array for each column. */
export interface PartColumns {
  readonly partNumbers: readonly number[];
  readonly etags: readonly string[];
  readonly checksums: readonly (string | null)[];
  readonly sizes: readonly number[];
}

/** The last one of a number counts: one statement cannot write a row twice. */
export function toPartColumns(parts: readonly StoredPart[]): PartColumns {
  const unique = [...new Map(parts.map((part) => [part.partNumber, part])).values()];
  return {
    partNumbers: unique.map((part) => part.partNumber),
    etags: unique.map((part) => part.etag),
    checksums: unique.map((part) => part.checksum),
    sizes: unique.map((part) => part.size),
  };
}

type RecordedPart = PartRow & { readonly recorded_at: Instant };

/**
 * What a listing taken at `at` changes of what is on record. Compared here, under the session's lock, because PostgreSQL, which guesses
 * that a session has few parts, would compare each of 10,000 with every other one. A listing mostly repeats what is on record.
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

const UPSERT = `
  INSERT INTO parts (session_id, generation, part_number, etag, checksum, size, recorded_at)
    SELECT @sessionId, @generation::integer, part_number, etag, checksum, size, @at::bigint
    FROM unnest(@partNumbers::integer[], @etags::text[], @checksums::text[], @sizes::bigint[])
      AS given (part_number, etag, checksum, size)
  ON CONFLICT (session_id, generation, part_number) DO UPDATE SET etag = excluded.etag, checksum = excluded.checksum,
    size = excluded.size, recorded_at = excluded.recorded_at`;

export const PART_STATEMENTS = {
  listParts: statement<Generation, PartRow>(`
    SELECT part_number, etag, checksum, size FROM parts
    WHERE session_id = @sessionId AND generation = @generation ORDER BY part_number`),

  /** Reports and listings of a session come one after another: what is decided on its rows stays true until it is written. */
  lockSession: statement<{ sessionId: string }>('SELECT 1 FROM upload_sessions WHERE session_id = @sessionId FOR NO KEY UPDATE'),
  touch: statement<{ sessionId: string; at: Instant }>(`
    UPDATE upload_sessions SET last_activity_at = GREATEST(last_activity_at, @at) WHERE session_id = @sessionId`),
  recordReport: statement<
    PartColumns & Omit<ClientReport, 'parts'> & { rememberedClients: number },
    SessionRow & { outcome: ReportAnswer['outcome'] | null }
  >(`
    SELECT answer.outcome, ${SESSION_COLUMNS}
    FROM record_report(@sessionId, @generation, @clientId, @rememberedClients, @partNumbers, @etags, @checksums, @sizes,
      @inFlightBytes, @bytesPerSecond, @at) answer,
      LATERAL (SELECT (answer.session).*) s, LATERAL (SELECT (answer.upload).*) u`),

  recordListing: statement<Generation & { at: Instant }>(`
    UPDATE multipart_uploads SET parts_listed_at = @at WHERE session_id = @sessionId AND generation = @generation`),
  listRecordedParts: statement<Generation, RecordedPart>(`
    SELECT part_number, etag, checksum, size, recorded_at FROM parts
    WHERE session_id = @sessionId AND generation = @generation`),
  dropParts: statement<Generation & { partNumbers: readonly number[] }>(`
    DELETE FROM parts
    WHERE session_id = @sessionId AND generation = @generation AND part_number = ANY(@partNumbers::integer[])`),
  recordParts: statement<PartColumns & Generation & { at: Instant }>(UPSERT),
};
