import type { Instant } from '../../session/session.ts';
import type { Capability } from '../port/session-store.ts';
import type { TokenRow } from '../sql/token-rows.ts';
import type { SqliteDatabase } from './driver.ts';

export function tokenStatements(db: SqliteDatabase) {
  return {
    insertToken: db.prepare<TokenRow>(`
      INSERT INTO tokens (token_id, name, hash, scopes, bucket, key_prefix, content_types, max_object_size, quota_bytes,
        max_open_sessions, created_at, expires_at, revoked_at)
      VALUES (@token_id, @name, @hash, @scopes, @bucket, @key_prefix, @content_types, @max_object_size, @quota_bytes,
        @max_open_sessions, @created_at, @expires_at, @revoked_at)`),
    findTokenByHash: db.prepare<[hash: string], TokenRow>('SELECT * FROM tokens WHERE hash = ?'),
    findToken: db.prepare<[tokenId: string], TokenRow>('SELECT * FROM tokens WHERE token_id = ?'),
    listTokens: db.prepare<[], TokenRow>('SELECT * FROM tokens ORDER BY created_at, token_id'),
    revokeToken: db.prepare<{ tokenId: string; at: Instant }>(
      'UPDATE tokens SET revoked_at = @at WHERE token_id = @tokenId AND revoked_at IS NULL',
    ),
    insertCapability: db.prepare<Capability & { most: number }>(`
      INSERT INTO capabilities (hash, capability_id, session_id, granted_by, created_at, expires_at)
      SELECT @hash, @capabilityId, @sessionId, @grantedBy, @createdAt, @expiresAt
      WHERE @most > (SELECT COUNT(*) FROM (
        SELECT 1 FROM capabilities WHERE granted_by = @grantedBy LIMIT @most))`),
    findCapabilityByHash: db.prepare<[hash: string], Capability>(`
      SELECT hash, capability_id AS capabilityId, session_id AS sessionId, granted_by AS grantedBy,
        created_at AS createdAt, expires_at AS expiresAt
      FROM capabilities WHERE hash = ?`),
    deleteExpiredCapabilities: db.prepare<[before: Instant]>('DELETE FROM capabilities WHERE expires_at < ?'),
  };
}
