import type { Scope } from '../../session/access.ts';
import type { Instant } from '../../session/session.ts';
import type { Token } from '../port/tokens.ts';

/** A row of a token, in both databases; lists are JSON. */
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
