import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { AuditEvent } from '../../src/server/audit/event.ts';
import { createAuthenticate, credentialsIn } from '../../src/server/auth.ts';
import { createTokenAdmin, type TokenRequest } from '../../src/server/tokens.ts';
import { NO_LIMITS } from '../../src/session/access.ts';
import type { SessionStore } from '../../src/session-store/port.ts';
import { openSqliteStore } from '../../src/session-store/sqlite.ts';
import { insertInStatus, NOON } from '../support/sessions.ts';

let store: SessionStore;
let audited: AuditEvent[];
let now: number;
beforeEach(() => {
  store = openSqliteStore(':memory:');
  onTestFinished(() => store.close());
  audited = [];
  now = NOON;
});
const admin = () => createTokenAdmin(store, { record: (event) => audited.push(event) }, () => now);
const create = (changes: Partial<TokenRequest> = {}) =>
  admin().create({ name: 'camera-1', scopes: ['upload'], limits: NO_LIMITS, expiresAt: null, rotate: false, ...changes });
const authenticate = (token: string) =>
  createAuthenticate(store, undefined, () => now)(credentialsIn(`Bearer ${token}`, undefined));

describe('creating a token', () => {
  it('gives one of 192 random bits that lets its name in, and stores its hash alone', async () => {
    const { token, stored } = await create();

    expect(token).toMatch(/^pw_[\w-]{32}$/);
    expect(await authenticate(token)).toMatchObject({ owner: 'camera-1', tokenId: stored.tokenId, scopes: ['upload'] });
    expect(JSON.stringify([await store.listTokens(), audited])).not.toContain(token);
    expect(audited).toEqual([{ event: 'token-created', token: 'camera-1', tokenId: stored.tokenId }]);
  });

  it('takes a name only once, also after it was revoked', async () => {
    await create();
    await expect(create()).rejects.toMatchObject({ code: 'TOKEN_NAME_TAKEN' });
    await admin().revoke('camera-1');
    await expect(create()).rejects.toMatchObject({ code: 'TOKEN_NAME_TAKEN', hint: expect.stringContaining('--rotate') });
  });

  it('takes the name of the token in the environment for nobody else', async () => {
    await expect(create({ name: 'admin' })).rejects.toMatchObject({ code: 'TOKEN_NAME_TAKEN' });
  });

  it('makes another one of the name where it is asked to, and the old one goes on until it is revoked', async () => {
    const old = await create();
    const fresh = await create({ rotate: true });
    expect(await authenticate(old.token)).toMatchObject({ owner: 'camera-1' });

    await admin().revoke(old.stored.tokenId);

    await expect(authenticate(old.token)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(await authenticate(fresh.token)).toMatchObject({ owner: 'camera-1' });
  });

  it.each(['', 'ü', 'a b', '-a', '../x', 'a/b', 'x'.repeat(65), 'a\nb', '\u0430dmin'])('refuses the name %j', async (name) => {
    await expect(create({ name })).rejects.toThrow(RangeError);
    expect(await store.listTokens()).toEqual([]);
  });
});

describe('a token', () => {
  it('is let in until the instant at which it expires', async () => {
    const { token } = await create({ expiresAt: NOON + 10 });
    now = NOON + 9;
    expect(await authenticate(token)).toMatchObject({ expiresAt: NOON + 10 });
    now = NOON + 10;
    await expect(authenticate(token)).rejects.toMatchObject({ code: 'UNAUTHORIZED', detail: 'The token has expired.' });
  });
});

describe('revoking', () => {
  it('by name ends all tokens of the name, and says which', async () => {
    const tokens = [await create(), await create({ rotate: true })];
    const other = await create({ name: 'camera-2' });

    expect((await admin().revoke('camera-1')).map(({ tokenId }) => tokenId).sort()).toEqual(
      tokens.map(({ stored }) => stored.tokenId).sort(),
    );

    for (const { token } of tokens) await expect(authenticate(token)).rejects.toMatchObject({ detail: 'The token was revoked.' });
    expect(await authenticate(other.token)).toMatchObject({ owner: 'camera-2' });
    expect(audited.filter(({ event }) => event === 'token-revoked')).toHaveLength(2);
  });

  it('twice changes nothing the second time', async () => {
    await create();
    await admin().revoke('camera-1');
    expect(await admin().revoke('camera-1')).toEqual([]);
  });

  it('of what there is not is told', async () => {
    await expect(admin().revoke('nobody')).rejects.toMatchObject({ code: 'TOKEN_NOT_FOUND' });
  });
});

describe('listing', () => {
  it('shows what each name holds', async () => {
    const { stored } = await create();
    await insertInStatus(store, 'open', { owner: 'camera-1', size: 70, key: 'a' });
    await insertInStatus(store, 'completed', { owner: 'camera-1', size: 5, key: 'b' });

    expect(await admin().list()).toEqual([{ ...stored, usage: { openSessions: 1, reservedBytes: 70, settledBytes: 5 } }]);
  });
});
