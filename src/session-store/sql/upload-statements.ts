import type { Instant } from '../../session/session.ts';
import type { LeftoverUpload } from '../port/sweep.ts';
import type { PartRow } from './session-rows.ts';
import { ENDED } from './session-statements.ts';
import { sql } from './statement.ts';

export interface Generation {
  readonly sessionId: string;
  readonly generation: number;
}

/** Statements on multipart uploads, their parts, and the lease of the sweep. */
export const UPLOAD_STATEMENTS = {
  insertUpload: sql<Generation & { uploadId: string; initiatedAt: Instant }>(`
    INSERT INTO multipart_uploads (session_id, generation, upload_id, initiated_at)
    VALUES (@sessionId, @generation, @uploadId, @initiatedAt)`),
  endUpload: sql<Generation & { at: Instant }>(`
    UPDATE multipart_uploads SET ended_at = @at
    WHERE session_id = @sessionId AND generation = @generation AND ended_at IS NULL`),
  leftoverUploads: sql<{ before: Instant; limit: number }, LeftoverUpload>(`
    SELECT u.session_id AS "sessionId", s.bucket, s.object_key AS key, u.generation, u.upload_id AS "uploadId"
    FROM multipart_uploads u JOIN upload_sessions s ON s.session_id = u.session_id
    WHERE u.ended_at IS NULL AND s.updated_at < @before AND (u.generation < s.generation OR s.status IN (${ENDED}))
    ORDER BY u.initiated_at LIMIT @limit`),
  findUpload: sql<{ uploadId: string }>('SELECT 1 FROM multipart_uploads WHERE upload_id = @uploadId LIMIT 1'),
  recordListing: sql<Generation & { at: Instant }>(`
    UPDATE multipart_uploads SET parts_listed_at = @at WHERE session_id = @sessionId AND generation = @generation`),
  listParts: sql<Generation, PartRow>(`
    SELECT part_number, etag, checksum, size FROM parts
    WHERE session_id = @sessionId AND generation = @generation ORDER BY part_number`),

  acquireSweepLease: sql<{ holder: string; at: Instant; expiresAt: Instant; latest: Instant }>(`
    INSERT INTO sweep_lease (only_row, holder, expires_at) VALUES (1, @holder, @expiresAt)
    ON CONFLICT (only_row) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
      WHERE sweep_lease.holder = excluded.holder OR sweep_lease.expires_at <= @at
        OR sweep_lease.expires_at > @latest`),
  releaseSweepLease: sql<{ holder: string }>('DELETE FROM sweep_lease WHERE only_row = 1 AND holder = @holder'),
};
