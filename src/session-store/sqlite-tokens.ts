import type { Scope } from '../session/access.ts';
import type { Instant } from '../session/session.ts';
import type { Capability, Token } from './port.ts';
import type { SqliteDatabase } from './sqlite-driver.ts';

export interface TokenRow {
  token_id: string;
  name: string;
  hash: string;
  scopes: string;
  bucket: string | null;
  key_prefix: string;
  content_types: string | null;
  max_object_size: number | null;
  quota_bytes: number | null;
  max_open_sessions: number | null;
  created_at: Instant;
  expires_at: Instant | null;
  revoked_at: Instant | null;
}

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
    insertCapability: db.prepare<Capability>(`
      INSERT INTO capabilities (hash, capability_id, session_id, granted_by, created_at, expires_at)
      VALUES (@hash, @capabilityId, @sessionId, @grantedBy, @createdAt, @expiresAt)`),
    findCapabilityByHash: db.prepare<[hash: string], Capability>(`
      SELECT hash, capability_id AS capabilityId, session_id AS sessionId, granted_by AS grantedBy,
        created_at AS createdAt, expires_at AS expiresAt
      FROM capabilities WHERE hash = ?`),
    deleteExpiredCapabilities: db.prepare<[before: Instant]>('DELETE FROM capabilities WHERE expires_at < ?'),
  };
}

export function toTokenRow(token: Token): TokenRow {
  const { limits } = token;
  return {
    token_id: token.tokenId,
    name: token.name,
    hash: token.hash,
    scopes: JSON.stringify(token.scopes),
    bucket: limits.bucket,
    key_prefix: limits.keyPrefix,
    content_types: limits.contentTypes && JSON.stringify(limits.contentTypes),
    max_object_size: limits.maxObjectSize,
    quota_bytes: limits.quotaBytes,
    max_open_sessions: limits.maxOpenSessions,
    created_at: token.createdAt,
    expires_at: token.expiresAt,
    revoked_at: token.revokedAt,
  };
}

export function toToken(row: TokenRow): Token {
  return {
    tokenId: row.token_id,
    name: row.name,
    hash: row.hash,
    scopes: JSON.parse(row.scopes) as Scope[],
    limits: {
      bucket: row.bucket,
      keyPrefix: row.key_prefix,
      contentTypes: row.content_types === null ? null : (JSON.parse(row.content_types) as string[]),
      maxObjectSize: row.max_object_size,
      quotaBytes: row.quota_bytes,
      maxOpenSessions: row.max_open_sessions,
    },
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  };
}
