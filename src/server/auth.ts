import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { UploadError } from '../session/errors.ts';
import type { SessionStore } from '../session-store/port.ts';

/** 192 bits: guessing is out of the question, so a plain hash of it may be stored. */
const TOKEN_BYTES = 24;

export interface Caller {
  readonly owner: string;
}

export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Accepts the token from the environment, if there is one, as `admin`, and the tokens whose hashes are stored. */
export function createAuthenticate(tokens: Pick<SessionStore, 'findTokenByHash'>, adminToken: string | undefined): Authenticate {
  const adminHash = adminToken === undefined ? undefined : hashToken(adminToken);
  return async (authorization) => {
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthorized('The request carries no bearer token.');
    const hash = hashToken(token);
    if (adminHash !== undefined && timingSafeEqual(Buffer.from(hash), Buffer.from(adminHash))) return { owner: 'admin' };
    // Looked up by hash: what the index comparison leaks is of no use without the token.
    const stored = await tokens.findTokenByHash(hash);
    if (stored === undefined) throw unauthorized('The server does not know this token.');
    return { owner: stored.name };
  };
}

function unauthorized(detail: string): UploadError {
  return new UploadError('UNAUTHORIZED', detail, {
    hint: 'Set PARTWAY_TOKEN to the token that `partway serve` showed at its first start.',
  });
}

/** Makes the first token of a server that has none. The token is returned once; only its hash is stored. */
export async function createFirstToken(sessions: SessionStore, now: number): Promise<string | undefined> {
  if ((await sessions.countTokens()) > 0) return undefined;
  const token = `pw_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  await sessions.insertToken({ tokenId: randomBytes(8).toString('hex'), name: 'admin', hash: hashToken(token), createdAt: now });
  return token;
}
