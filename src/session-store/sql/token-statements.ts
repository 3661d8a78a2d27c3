import type { Instant } from '../../session/session.ts';
import type { Capability } from '../port/tokens.ts';
import { sql } from './statement.ts';
import type { TokenRow } from './token-rows.ts';

/** Names, not `*`: a column of a later version must not break the prepared statements of servers that still run. */
const TOKEN_COLUMNS = `token_id, name, hash, scopes, bucket, key_prefix, content_types, max_object_size, quota_bytes, max_open_sessions,
  created_at, expires_at, revoked_at`;

export const TOKEN_STATEMENTS = {
  insertToken: sql<TokenRow>(`
    INSERT INTO tokens (${TOKEN_COLUMNS})
    VALUES (@token_id, @name, @hash, @scopes, @bucket, @key_prefix, @content_types, @max_object_size, @quota_bytes,
      @max_open_sessions, @created_at, @expires_at, @revoked_at)`),
  findTokenByHash: sql<{ hash: string }, TokenRow>(`SELECT ${TOKEN_COLUMNS} FROM tokens WHERE hash = @hash`),
  findToken: sql<{ tokenId: string }, TokenRow>(`SELECT ${TOKEN_COLUMNS} FROM tokens WHERE token_id = @tokenId`),
  listTokens: sql<object, TokenRow>(`SELECT ${TOKEN_COLUMNS} FROM tokens ORDER BY created_at, token_id`),
  revokeToken: sql<{ tokenId: string; at: Instant }>(
    'UPDATE tokens SET revoked_at = @at WHERE token_id = @tokenId AND revoked_at IS NULL',
  ),
  insertCapability: sql<Capability & { most: number }>(`
    INSERT INTO capabilities (hash, capability_id, session_id, granted_by, created_at, expires_at)
    SELECT @hash, @capabilityId, @sessionId, @grantedBy, CAST(@createdAt AS BIGINT), CAST(@expiresAt AS BIGINT)
    WHERE CAST(@most AS BIGINT) > (SELECT COUNT(*) FROM (
      SELECT 1 FROM capabilities WHERE granted_by = @grantedBy LIMIT CAST(@most AS BIGINT)) AS granted)`),
  findCapabilityByHash: sql<{ hash: string }, Capability>(`
    SELECT hash, capability_id AS "capabilityId", session_id AS "sessionId", granted_by AS "grantedBy",
      created_at AS "createdAt", expires_at AS "expiresAt"
    FROM capabilities WHERE hash = @hash`),
  deleteExpiredCapabilities: sql<{ before: Instant }>('DELETE FROM capabilities WHERE expires_at < @before'),
};
