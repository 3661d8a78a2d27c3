import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createAuthenticate, credentialsIn } from '../../../src/server/access/auth.ts';
import { createTokenAdmin, type TokenRequest } from '../../../src/server/access/tokens.ts';
import { type AuditEvent, noAudit } from '../../../src/server/audit/event.ts';
import { NO_LIMITS } from '../../../src/session/access.ts';
import type { SessionStore } from '../../../src/session-store/port/session-store.ts';
import { openSqliteStore } from '../../../src/session-store/sqlite/session-store.ts';
import { insertInStatus, NOON } from '../../support/database/sessions.ts';
import { interpose } from '../../support/interpose.ts';

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

  it('refuses the name of the token in the environment', async () => {
    await expect(create({ name: 'admin' })).rejects.toMatchObject({ code: 'TOKEN_NAME_TAKEN' });
  });

  it('makes another token of the name with rotate, and the old one works until it is revoked', async () => {
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

    expect((await admin().revoke('camera-1')).tokens.map(({ tokenId }) => tokenId).sort()).toEqual(
      tokens.map(({ stored }) => stored.tokenId).sort(),
    );

    for (const { token } of tokens) await expect(authenticate(token)).rejects.toMatchObject({ detail: 'The token was revoked.' });
    expect(await authenticate(other.token)).toMatchObject({ owner: 'camera-2' });
    expect(audited.filter(({ event }) => event === 'token-revoked')).toHaveLength(2);
  });

  it('twice changes nothing the second time', async () => {
    await create();
    await admin().revoke('camera-1');
    expect(await admin().revoke('camera-1')).toEqual({ tokens: [], aborting: [], completing: 0 });
  });

  it('an unknown token is an error', async () => {
    await expect(admin().revoke('nobody')).rejects.toMatchObject({ code: 'TOKEN_NOT_FOUND' });
  });
});

describe('revoking with --abort', () => {
  const statusOf = async (sessionId: string) => (await store.get(sessionId))?.status;

  it('stores the abort of all unfinished sessions of the name, and leaves all others as they are', async () => {
    await create();
    const open = await Promise.all(Array.from({ length: 450 }, () => insertInStatus(store, 'open', { owner: 'camera-1' })));
    const creating = await insertInStatus(store, 'creating', { owner: 'camera-1' });
    const kept = {
      completing: await insertInStatus(store, 'completing', { owner: 'camera-1' }),
      completed: await insertInStatus(store, 'completed', { owner: 'camera-1' }),
      open: await insertInStatus(store, 'open', { owner: 'camera-2' }),
    };

    const { tokens, aborting, completing } = await admin().revoke('camera-1', { abort: true });

    expect([tokens.length, completing]).toEqual([1, 1]);
    expect([...aborting].sort()).toEqual([...open, creating].sort());
    for (const sessionId of aborting) expect(await store.get(sessionId)).toMatchObject({ status: 'aborting', endsAs: 'aborted' });
    for (const [status, sessionId] of Object.entries(kept)) expect(await statusOf(sessionId)).toBe(status);
  });

  it('ends what is left of a name whose tokens were revoked before', async () => {
    await create();
    const sessionId = await insertInStatus(store, 'open', { owner: 'camera-1' });
    await admin().revoke('camera-1');
    expect(await statusOf(sessionId)).toBe('open');
    expect(await admin().revoke('camera-1', { abort: true })).toEqual({ tokens: [], aborting: [sessionId], completing: 0 });
  });

  it('revokes nothing where another valid token of the name goes on with the sessions', async () => {
    const old = await create();
    const fresh = await create({ rotate: true });
    const sessionId = await insertInStatus(store, 'open', { owner: 'camera-1' });

    await expect(admin().revoke(old.stored.tokenId, { abort: true })).rejects.toMatchObject({
      code: 'TOKEN_NAME_IN_USE',
      message: expect.stringContaining(fresh.stored.tokenId),
      hint: expect.stringContaining('partway token revoke camera-1 --abort'),
    });

    expect(await authenticate(old.token)).toMatchObject({ owner: 'camera-1' });
    expect(await statusOf(sessionId)).toBe('open');
    await admin().revoke(fresh.stored.tokenId);
    expect(await admin().revoke(old.stored.tokenId, { abort: true })).toMatchObject({ aborting: [sessionId] });
  });

  it('aborts a session that changes at the same moment according to its new status', async () => {
    await create();
    const creating = await insertInStatus(store, 'creating', { owner: 'camera-1' });
    const opened = { uploadId: 'upload-of-a-request', initiatedAt: NOON };
    let isFirst = true;
    const busy = interpose(store, async (method, call) => {
      if (method === 'changeStatus' && isFirst) {
        isFirst = false;
        await store.openUpload({ sessionId: creating, status: 'creating', generation: 1 }, opened, NOON);
      }
      return call();
    });

    const { aborting } = await createTokenAdmin(busy, noAudit, () => now).revoke('camera-1', { abort: true });

    expect(aborting).toEqual([creating]);
    expect(await store.get(creating)).toMatchObject({ status: 'aborting', uploadId: 'upload-of-a-request' });
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
