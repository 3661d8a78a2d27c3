import { beforeEach, describe, expect, it } from 'vitest';
import {
  createAuthenticate,
  createFirstToken,
  credentialsIn,
  hashToken,
  newToken,
  TOKEN_PREFIX,
} from '../../../src/server/access/auth.ts';
import { noAudit } from '../../../src/server/audit/event.ts';
import { NO_LIMITS } from '../../../src/session/access.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { aToken, NOON } from '../../support/database/sessions.ts';

const ADMIN = 'admin-token-of-the-tests';

/** Authenticates by the header alone. */
function authenticateOn(tokens: SessionStore, adminToken: string | undefined, now = () => NOON) {
  const authenticate = createAuthenticate(tokens, adminToken, now);
  return (authorization: string | undefined) => authenticate(credentialsIn(authorization, undefined));
}

let store: SessionStore;
beforeEach(() => {
  store = openSqliteStore(':memory:');
});

describe('authenticating', () => {
  it('accepts the token from the environment as admin', async () => {
    expect(await authenticateOn(store, ADMIN)(`Bearer ${ADMIN}`)).toMatchObject({ owner: 'admin', scopes: ['admin'] });
  });

  it('accepts a stored token by its hash, under its name', async () => {
    await store.insertToken(aToken({ name: 'laptop', hash: hashToken('pw_the-stored-token-of-these-tests0') }));
    const authenticate = authenticateOn(store, ADMIN);
    expect(await authenticate('Bearer pw_the-stored-token-of-these-tests0')).toMatchObject({
      owner: 'laptop',
      scopes: ['upload'],
      sessionId: null,
    });
    expect(await authenticate(`Bearer ${ADMIN}`)).toMatchObject({ owner: 'admin', scopes: ['admin'] });
  });

  it('takes the scheme in any case, as RFC 9110 says', async () => {
    expect(await authenticateOn(store, ADMIN)(`bearer ${ADMIN}`)).toMatchObject({ owner: 'admin', scopes: ['admin'] });
  });

  it('does not take a hash for its token', async () => {
    await store.insertToken(aToken({ hash: hashToken('pw_the-stored-token-of-these-tests0') }));
    const authenticate = authenticateOn(store, ADMIN);
    for (const token of [hashToken('pw_the-stored-token-of-these-tests0'), hashToken(ADMIN)]) {
      await expect(authenticate(`Bearer ${token}`)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });

  it.each<[string, string | undefined]>([
    ['nothing', undefined],
    ['an empty header', ''],
    ['the scheme alone', 'Bearer'],
    ['no scheme', ADMIN],
    ['another scheme', `Token ${ADMIN}`],
    ['more than one word', `Bearer ${ADMIN} more`],
    ['a token of 513 characters', `Bearer ${'a'.repeat(513)}`],
    ['characters outside ASCII', 'Bearer tokén-of-the-tests'],
    ['an unknown token', 'Bearer pw_unknown-token'],
  ])('refuses %s, without repeating it', async (_, header) => {
    const refusal = authenticateOn(store, ADMIN)(header);
    await expect(refusal).rejects.toMatchObject({ code: 'UNAUTHORIZED', hint: expect.stringContaining('PARTWAY_TOKEN') });
    await expect(refusal).rejects.not.toThrow(/tok[eé]n-of-the-tests|pw_unknown|aaaa/);
  });

  it('accepts no token as admin where the environment names none', async () => {
    const authenticate = authenticateOn(store, undefined);
    for (const token of ['undefined', 'null', hashToken('undefined')]) {
      await expect(authenticate(`Bearer ${token}`)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
  });
});

describe('unfinished sessions of a token', () => {
  const maxOf = async (token: string, ...limit: [] | [number | null]) => {
    const authenticate = createAuthenticate(store, ADMIN, () => NOON, ...limit);
    return (await authenticate(credentialsIn(`Bearer ${token}`, undefined))).limits.maxOpenSessions;
  };

  it('are limited where the token has no limit of its own: those of the environment and the first one, too', async () => {
    const first = String(await createFirstToken(store, noAudit, NOON));
    expect([await maxOf(ADMIN), await maxOf(first)]).toEqual([10_000, 10_000]);
    expect([await maxOf(ADMIN, 5), await maxOf(first, 5)]).toEqual([5, 5]);
    expect([await maxOf(ADMIN, null), await maxOf(first, null)]).toEqual([null, null]);
  });

  it('are limited by the token where it has a limit, also above the default', async () => {
    const token = newToken(TOKEN_PREFIX);
    await store.insertToken(aToken({ hash: hashToken(token), limits: { ...NO_LIMITS, maxOpenSessions: 500_000 } }));
    expect(await maxOf(token)).toBe(500_000);
  });
});

describe('the first token', () => {
  it('is made once, and works', async () => {
    const token = await createFirstToken(store, noAudit, NOON);
    expect(token).toMatch(/^pw_[\w-]{32}$/);
    expect(await authenticateOn(store, undefined)(`Bearer ${token}`)).toMatchObject({ owner: 'admin', scopes: ['admin'] });
    expect(await createFirstToken(store, noAudit, NOON)).toBeUndefined();
  });

  it('is stored as its hash only', async () => {
    const token = String(await createFirstToken(store, noAudit, NOON));
    const stored = await store.findTokenByHash(hashToken(token));
    expect(stored).toMatchObject({ name: 'admin', createdAt: NOON });
    expect(JSON.stringify(stored)).not.toContain(token);
  });

  it('is another one for every server', async () => {
    expect(await createFirstToken(store, noAudit, NOON)).not.toBe(
      await createFirstToken(openSqliteStore(':memory:'), noAudit, NOON),
    );
  });
});
