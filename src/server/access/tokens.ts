import { type Limits, type Scope, TOKEN_NAME } from '../../session/access.ts';
import { UploadError } from '../../session/errors.ts';
import type { Instant } from '../../session/session.ts';
import type { SessionRecords } from '../../session-store/port/sessions.ts';
import type { Token, TokenRecords } from '../../session-store/port/tokens.ts';
import type { Usage, UsageRecords } from '../../session-store/port/usage.ts';
import type { Audit } from '../audit/event.ts';
import { abortSessionsOf } from '../lifecycle/abort-sessions.ts';
import { ADMIN, hashToken, newToken, newTokenId, TOKEN_PREFIX } from './auth.ts';

export interface TokenRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly limits: Limits;
  readonly expiresAt: Instant | null;
  /** Whether the name may exist already: the new token then takes over its sessions and its quota. */
  readonly rotate: boolean;
}

/** The outcome of `revoke`. */
export interface Revoked {
  /** The tokens that were valid before. */
  readonly tokens: readonly Token[];
  /** Ids of the sessions that are `aborting` now; a server deletes their parts within minutes. */
  readonly aborting: readonly string[];
  /** Number of sessions that are being completed and cannot be stopped any more. */
  readonly completing: number;
}

export type TokenWithUsage = Token & { readonly usage: Usage };

/** The administration of tokens on the server's own host. */
export function createTokenAdmin(sessions: TokenRecords & UsageRecords & SessionRecords, audit: Audit, now: () => Instant) {
  return {
    /** Makes a token, which is in the result and nowhere else. @throws UploadError `TOKEN_NAME_TAKEN` */
    async create({ name, scopes, limits, expiresAt, rotate }: TokenRequest): Promise<{ token: string; stored: Token }> {
      if (!TOKEN_NAME.test(name)) throw new RangeError(`not a token name: ${name}`);
      if (!rotate && (name === ADMIN || (await withName(name)).length > 0)) throw nameTaken(name);
      const token = newToken(TOKEN_PREFIX);
      const rest = { name, scopes, limits, createdAt: now(), expiresAt, revokedAt: null };
      const stored: Token = { tokenId: newTokenId(), hash: hashToken(token), ...rest };
      await sessions.insertToken(stored);
      audit.record({ event: 'token-created', token: name, tokenId: stored.tokenId });
      return { token, stored };
    },

    /** Lists all tokens that were ever made, oldest first. */
    async list(): Promise<TokenWithUsage[]> {
      const tokens = await sessions.listTokens();
      return Promise.all(tokens.map(async (token) => ({ ...token, usage: await sessions.usageOf(token.name) })));
    },

    /**
     * Revokes a token by its id, or all tokens of a name. With `abort`, the unfinished sessions of the name end as well, even if all its tokens
     * were revoked before.
     * @throws UploadError `TOKEN_NOT_FOUND`; or `TOKEN_NAME_IN_USE`, with nothing revoked, where another valid token shares the sessions that
     * `abort` would end.
     */
    async revoke(nameOrId: string, { abort = false } = {}): Promise<Revoked> {
      const all = await sessions.listTokens();
      const chosen = all.filter(({ tokenId, name }) => tokenId === nameOrId || name === nameOrId);
      if (chosen.length === 0) throw notFound(nameOrId);
      const names = new Set(chosen.map(({ name }) => name));
      const other = all.find((token) => names.has(token.name) && !chosen.includes(token) && isValid(token, now()));
      if (abort && other !== undefined) throw stillInUse(other);
      const tokens: Token[] = [];
      for (const token of chosen) {
        if (!(await sessions.revokeToken(token.tokenId, now()))) continue;
        audit.record({ event: 'token-revoked', token: token.name, tokenId: token.tokenId });
        tokens.push(token);
      }
      // After the tokens, so that no request of theirs can make another session.
      const ended = abort ? await Promise.all([...names].map((name) => abortSessionsOf(sessions, name, now))) : [];
      return {
        tokens,
        aborting: ended.flatMap(({ aborting }) => aborting),
        completing: ended.reduce((sum, { completing }) => sum + completing, 0),
      };
    },
  };

  async function withName(name: string): Promise<Token[]> {
    return (await sessions.listTokens()).filter((token) => token.name === name);
  }
}

function nameTaken(name: string): UploadError {
  return new UploadError('TOKEN_NAME_TAKEN', `A token "${name}" exists already, or existed.`, {
    hint: 'Choose another name. With --rotate, the new token goes on with the sessions and the quota of the old one.',
  });
}

function isValid({ revokedAt, expiresAt }: Token, now: Instant): boolean {
  return revokedAt === null && (expiresAt === null || expiresAt > now);
}

function stillInUse({ name, tokenId }: Token): UploadError {
  return new UploadError(
    'TOKEN_NAME_IN_USE',
    `Another token of "${name}", ${tokenId}, is valid and shares the sessions of the name: nothing was revoked.`,
    {
      hint: `Leave out --abort to keep the sessions, or end them with all tokens of the name: partway token revoke ${name} --abort`,
    },
  );
}

function notFound(nameOrId: string): UploadError {
  return new UploadError('TOKEN_NOT_FOUND', `There is no token "${nameOrId}".`, { hint: 'partway token list shows them all.' });
}
