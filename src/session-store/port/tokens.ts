import type { Limits, Scope } from '../../session/access.ts';
import type { Instant } from '../../session/session.ts';

export interface Token {
  readonly tokenId: string;
  readonly name: string;
  /** SHA-256 of the token, hex. The token itself is never stored. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
  readonly limits: Limits;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | null;
  readonly revokedAt: Instant | null;
}

/** A token for one session. */
export interface Capability {
  readonly capabilityId: string;
  readonly hash: string;
  readonly sessionId: string;
  /** The `tokenId` of the token that granted it, and with which it ends. */
  readonly grantedBy: string;
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
}

export interface TokenRecords {
  insertToken(token: Token): Promise<void>;
  /** Also finds revoked and expired tokens. */
  findTokenByHash(hash: string): Promise<Token | undefined>;
  findToken(tokenId: string): Promise<Token | undefined>;
  /** Lists all tokens, including revoked and expired ones, oldest first. */
  listTokens(): Promise<Token[]>;
  /** Returns false if there is no such token, or if it is already revoked. */
  revokeToken(tokenId: string, at: Instant): Promise<boolean>;
}

export interface CapabilityRecords {
  /** Returns false, and records nothing, if its grantor has `most` already; expired ones count until they are deleted. */
  insertCapability(capability: Capability, most: number): Promise<boolean>;
  /** Also finds expired capabilities. */
  findCapabilityByHash(hash: string): Promise<Capability | undefined>;
  /** Deletes the capabilities that expired before `before`; returns their number. */
  deleteExpiredCapabilities(before: Instant): Promise<number>;
}
