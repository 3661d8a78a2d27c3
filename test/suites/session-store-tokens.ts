import { expect, it } from 'vitest';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import type { Capability } from '../../src/session-store/port/tokens.ts';
import { aToken, aUniqueName, insertSession, NOON } from '../support/database/sessions.ts';

export function describeTokens(current: () => SessionStore): void {
  const limited = () =>
    aToken({
      name: 'CI von Übersee 🚢',
      scopes: ['upload', 'read'],
      limits: {
        bucket: 'uploads',
        keyPrefix: 'team ü/',
        contentTypes: ['video/*', 'image/png'],
        maxObjectSize: 5 * 1024 ** 4,
        quotaBytes: Number.MAX_SAFE_INTEGER,
        maxOpenSessions: 0,
      },
      expiresAt: NOON + 1,
    });

  it('are found by their hash and by their id, with all their limits', async () => {
    const token = limited();
    await current().insertToken(token);
    await current().insertToken(aToken());

    expect(await current().findTokenByHash(token.hash)).toStrictEqual(token);
    expect(await current().findToken(token.tokenId)).toStrictEqual(token);
    expect(await current().findTokenByHash('unknown')).toBeUndefined();
    expect(await current().findToken(token.hash)).toBeUndefined();
  });

  it('are listed, the oldest first, including revoked ones', async () => {
    const younger = aToken({ createdAt: NOON + 1 });
    const older = aToken({ name: younger.name, createdAt: NOON });
    await current().insertToken(younger);
    await current().insertToken(older);
    await current().revokeToken(older.tokenId, NOON + 5);

    expect(await current().listTokens()).toStrictEqual([{ ...older, revokedAt: NOON + 5 }, younger]);
  });

  it('are revoked once, and keep the time of that', async () => {
    const token = aToken();
    await current().insertToken(token);

    expect(await current().revokeToken(token.tokenId, NOON + 5)).toBe(true);
    expect(await current().revokeToken(token.tokenId, NOON + 6)).toBe(false);
    expect(await current().revokeToken('unknown', NOON + 6)).toBe(false);
    expect(await current().findToken(token.tokenId)).toMatchObject({ revokedAt: NOON + 5 });
  });

  it('have a hash of their own', async () => {
    const token = aToken();
    await current().insertToken(token);

    await expect(current().insertToken(aToken({ hash: token.hash }))).rejects.toThrow();
  });
}

export function describeCapabilities(current: () => SessionStore): void {
  async function insertCapability(expiresAt: number): Promise<Capability> {
    const { sessionId } = await insertSession(current());
    const capabilityId = aUniqueName('capability');
    const capability = { capabilityId, hash: aUniqueName('hash'), sessionId, grantedBy: 'tok_1', createdAt: NOON, expiresAt };
    expect(await current().insertCapability(capability, 1_000)).toBe(true);
    return capability;
  }

  it('are found by their hash', async () => {
    const capability = await insertCapability(NOON + 1);

    expect(await current().findCapabilityByHash(capability.hash)).toStrictEqual(capability);
    expect(await current().findCapabilityByHash('unknown')).toBeUndefined();
  });

  it('are for a session that is on record', async () => {
    const capability = await insertCapability(NOON + 1);

    const other = { ...capability, hash: aUniqueName('hash'), sessionId: 'unknown' };
    await expect(current().insertCapability(other, 1_000)).rejects.toThrow();
  });

  it('are limited for each grantor, until expired ones are deleted', async () => {
    const { sessionId } = await insertSession(current());
    const ours = aUniqueName('tok');
    const insert = (expiresAt: number, grantedBy = ours) => {
      const capability = { capabilityId: aUniqueName('capability'), hash: aUniqueName('hash'), sessionId, grantedBy };
      return current().insertCapability({ ...capability, createdAt: NOON, expiresAt }, 2);
    };
    expect([await insert(NOON + 10), await insert(NOON + 20)]).toEqual([true, true]);
    expect(await insert(NOON + 30)).toBe(false);
    expect(await insert(NOON + 30, aUniqueName('tok'))).toBe(true);

    await current().deleteExpiredCapabilities(NOON + 11);

    expect([await insert(NOON + 30), await insert(NOON + 30)]).toEqual([true, false]);
  });

  it('are deleted once they have expired, and not before', async () => {
    const expired = await insertCapability(NOON + 1);
    const alive = await insertCapability(NOON + 2);

    expect(await current().deleteExpiredCapabilities(NOON + 2)).toBe(1);

    expect(await current().findCapabilityByHash(expired.hash)).toBeUndefined();
    expect(await current().findCapabilityByHash(alive.hash)).toStrictEqual(alive);
  });
}
