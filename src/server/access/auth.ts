import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { DEFAULT_MAX_OPEN_SESSIONS, type Grant, NO_LIMITS } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import type { Instant } from '../../session/session.ts';
import type { Capability, CapabilityRecords, Token, TokenRecords } from '../../session-store/port/tokens.ts';
import type { Audit } from '../audit/event.ts';

/** 192 bits cannot be guessed, so a plain hash of the token may be stored. */
const TOKEN_BYTES = 24;
export const TOKEN_PREFIX = 'pw_';
/** Differs from the prefix of tokens: a capability may stand in a path, a token never may. */
export const CAPABILITY_PREFIX = 'pwc_';
/** Matches all tokens that this and earlier versions made. Anything else is refused without a look at the database. */
const WELL_FORMED = new RegExp(`^(?:${TOKEN_PREFIX}|${CAPABILITY_PREFIX})[\\w-]{${(TOKEN_BYTES * 4) / 3}}$`);

/** Owner of the sessions of the token in the environment and of the first token. */
export const ADMIN = 'admin';

/** The only parts of a request that authentication looks at. */
export interface Credentials {
  readonly token: string | undefined;
  readonly isInPath: boolean;
}

/** @param authorization The header. @param capability The capability in the path, which counts before the header. */
export function credentialsIn(authorization: string | undefined, capability: string | undefined): Credentials {
  const token = capability ?? /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
  return { token, isInPath: capability !== undefined };
}

/** @throws UploadError `UNAUTHORIZED` */
export type Authenticate = (credentials: Credentials) => Promise<Grant>;

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

export function newToken(prefix: string): string {
  return `${prefix}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
}

/** Makes a public handle, which names a token in lists and logs and gives no access. */
export function newTokenId(): string {
  return `tok_${randomBytes(8).toString('hex')}`;
}

type Tokens = Pick<TokenRecords, 'findTokenByHash' | 'findToken'> & Pick<CapabilityRecords, 'findCapabilityByHash'>;

/**
 * Accepts the token from the environment, if there is one, as `admin`; the tokens whose hashes are stored; and capabilities.
 * @param maxOpenSessions Most unfinished sessions of a token that has no limit of its own; null is no limit.
 */
export function createAuthenticate(
  tokens: Tokens,
  adminToken: string | undefined,
  now: () => Instant,
  maxOpenSessions: number | null = DEFAULT_MAX_OPEN_SESSIONS,
): Authenticate {
  const admin = adminToken === undefined ? undefined : adminGrant(adminToken, maxOpenSessions);

  return async ({ token, isInPath }) => {
    if (token === undefined) throw unauthorized('The request carries no bearer token.');
    // Paths end up in the logs of proxies, so a token for more than one session is refused there, even a valid one.
    if (isInPath && !token.startsWith(CAPABILITY_PREFIX)) throw unauthorized('Only a capability token may stand in the path.');
    const hash = hashToken(token);
    const isCapability = token.startsWith(CAPABILITY_PREFIX);
    if (!isCapability && admin !== undefined && timingSafeEqual(Buffer.from(hash), Buffer.from(admin.hash))) return admin.grant;
    if (!WELL_FORMED.test(token)) throw unknown();
    if (isCapability) return capabilityGrant(hash);
    // Looked up by hash: timing of the index comparison leaks nothing that is of use without the token.
    return tokenGrant(checked(await tokens.findTokenByHash(hash)), maxOpenSessions);
  };

  async function capabilityGrant(hash: string): Promise<Grant> {
    const found = await tokens.findCapabilityByHash(hash);
    if (found === undefined) throw unknown();
    if (found.expiresAt <= now()) throw unauthorized('The token has expired.');
    const owner = await ownerOfGrantor(found);
    const { capabilityId: tokenId, grantedBy: limitKey, sessionId, expiresAt } = found;
    return { owner, tokenId, limitKey, scopes: [], limits: NO_LIMITS, sessionId, expiresAt };
  }

  /** Checks that the granting token is still valid: revoking a token revokes all capabilities that it granted. */
  async function ownerOfGrantor({ grantedBy }: Capability): Promise<string> {
    if (admin?.grant.tokenId === grantedBy) return admin.grant.owner;
    return checked(await tokens.findToken(grantedBy)).name;
  }

  function checked(token: Token | undefined): Token {
    if (token === undefined) throw unknown();
    if (token.revokedAt !== null) throw unauthorized('The token was revoked.');
    if (token.expiresAt !== null && token.expiresAt <= now()) throw unauthorized('The token has expired.');
    return token;
  }
}

function adminGrant(token: string, maxOpenSessions: number | null): { readonly hash: string; readonly grant: Grant } {
  const hash = hashToken(token);
  // Derived from the hash, so that another token in the environment ends the capabilities that this one granted.
  const tokenId = `env_${hash.slice(0, 16)}`;
  const grant = { owner: ADMIN, tokenId, limitKey: tokenId, scopes: ['admin'] } as const;
  return { hash, grant: { ...grant, limits: { ...NO_LIMITS, maxOpenSessions }, sessionId: null, expiresAt: null } };
}

function tokenGrant({ name, tokenId, scopes, limits: own, expiresAt }: Token, maxOpenSessions: number | null): Grant {
  const limits = { ...own, maxOpenSessions: own.maxOpenSessions ?? maxOpenSessions };
  return { owner: name, tokenId, limitKey: tokenId, scopes, limits, sessionId: null, expiresAt };
}

function unknown(): UploadError {
  return unauthorized('The server does not know this token.');
}

function unauthorized(detail: string): UploadError {
  return new UploadError('UNAUTHORIZED', detail, {
    hint: 'Set PARTWAY_TOKEN to the token that `partway serve` or `partway token create` showed.',
  });
}

export async function hasLiveToken(sessions: TokenRecords, now: Instant): Promise<boolean> {
  const tokens = await sessions.listTokens();
  return tokens.some(({ revokedAt, expiresAt }) => revokedAt === null && (expiresAt === null || expiresAt > now));
}

/**
 * Makes the first token of a server that has never had one. The token is returned once; only its hash is stored.
 * @param keep Called with the token before it is recorded: where it throws, there is no token yet, and the next start makes one.
 */
export async function createFirstToken(
  sessions: TokenRecords,
  audit: Audit,
  now: Instant,
  keep: (token: string) => void = () => {},
): Promise<string | undefined> {
  if ((await sessions.listTokens()).length > 0) return undefined;
  const token = newToken(TOKEN_PREFIX);
  const tokenId = newTokenId();
  keep(token);
  await sessions.insertToken({
    tokenId,
    name: ADMIN,
    hash: hashToken(token),
    scopes: ['admin'],
    limits: NO_LIMITS,
    createdAt: now,
    expiresAt: null,
    revokedAt: null,
  });
  audit.record({ event: 'token-created', token: ADMIN, tokenId });
  return token;
}
