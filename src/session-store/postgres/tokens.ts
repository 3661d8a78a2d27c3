import type { Instant } from '../../session/session.ts';
import type { Capability } from '../port/session-store.ts';
import type { TokenRow } from '../sql/token-rows.ts';
import { statement } from './statement.ts';

/** By name, not by `*`: a later version's column must not break the prepared statements of the servers that still run. */
const TOKEN_COLUMNS = `token_id, name, hash, scopes, bucket, key_prefix, content_types, max_object_size, quota_bytes, max_open_sessions,
  created_at, expires_at, revoked_at`;

export const TOKEN_STATEMENTS = {
  insertToken: statement<TokenRow>(`
    INSERT INTO tokens (${TOKEN_COLUMNS})
    VALUES (@token_id, @name, @hash, @scopes, @bucket, @key_prefix, @content_types, @max_object_size, @quota_bytes,
      @max_open_sessions, @created_at, @expires_at, @revoked_at)`),
  findTokenByHash: statement<{ hash: string }, TokenRow>(`SELECT ${TOKEN_COLUMNS} FROM tokens WHERE hash = @hash`),
  findToken: statement<{ tokenId: string }, TokenRow>(`SELECT ${TOKEN_COLUMNS} FROM tokens WHERE token_id = @tokenId`),
  listTokens: statement<object, TokenRow>(`SELECT ${TOKEN_COLUMNS} FROM tokens ORDER BY created_at, token_id`),
  revokeToken: statement<{ tokenId: string; at: Instant }>(
    'UPDATE tokens SET revoked_at = @at WHERE token_id = @tokenId AND revoked_at IS NULL',
  ),
  insertCapability: statement<Capability & { most: number }>(`
    INSERT INTO capabilities (hash, capability_id, session_id, granted_by, created_at, expires_at)
    SELECT @hash, @capabilityId, @sessionId, @grantedBy, @createdAt::bigint, @expiresAt::bigint
    WHERE @most::bigint > (SELECT COUNT(*) FROM (
      SELECT 1 FROM capabilities WHERE granted_by = @grantedBy LIMIT @most::bigint) AS granted)`),
  findCapabilityByHash: statement<{ hash: string }, Capability>(`
    SELECT hash, capability_id AS "capabilityId", session_id AS "sessionId", granted_by AS "grantedBy",
      created_at AS "createdAt", expires_at AS "expiresAt"
    FROM capabilities WHERE hash = @hash`),
  deleteExpiredCapabilities: statement<{ before: Instant }>('DELETE FROM capabilities WHERE expires_at < @before'),
};
