import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthenticate, hashToken, newToken, TOKEN_PREFIX } from '../../../src/server/access/auth.ts';
import { guardAuthentication } from '../../../src/server/limits/failure-limit.ts';
import { UploadError } from '../../../src/session/errors.ts';
import { aToken } from '../../support/database/sessions.ts';
import { interpose } from '../../support/interpose.ts';
import { ADMIN_TOKEN } from '../../support/server/control-plane.ts';
import { EdgeBench } from '../../support/server/edge-bench.ts';

const HERE = '192.0.2.1';
const THERE = '198.51.100.1';
/** Three failures in ten seconds. */
const LIMITS = { failures: 3, windowSeconds: 10 };

let valid: Set<string>;
beforeEach(() => {
  vi.useFakeTimers();
  valid = new Set(['good', 'other']);
});
afterEach(() => {
  vi.useRealTimers();
});

async function authenticate(token: string | undefined) {
  await Promise.resolve();
  if (token === 'broken') throw new Error('the database is away');
  if (token === undefined || !valid.has(token)) throw new UploadError('UNAUTHORIZED', 'unknown');
  return { owner: token };
}

const guard = (limits = {}) => guardAuthentication(authenticate, { ...LIMITS, ...limits });

async function fail(guarded: ReturnType<typeof guard>, address = HERE, times = 3): Promise<void> {
  for (let failure = 1; failure <= times; failure++) {
    await expect(guarded(`bad-${failure}`, address)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  }
}

describe('an address that failed to authenticate too often', () => {
  it('gets a time to wait, with wrong tokens and with none', async () => {
    const guarded = guard();
    await fail(guarded);
    await vi.advanceTimersByTimeAsync(3_500);
    for (const token of ['bad', undefined]) {
      await expect(guarded(token, HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED', facts: { retryAfterSeconds: 7 } });
    }
  });

  it('is served with any valid token, seen from there before or not', async () => {
    const guarded = guard();
    await guarded('good', HERE);
    await fail(guarded);
    await expect(guarded('bad', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(await guarded('good', HERE)).toEqual({ owner: 'good' });
    expect(await guarded('other', HERE)).toEqual({ owner: 'other' });
  });

  it('gets no further failures for a success in between', async () => {
    const guarded = guard();
    await fail(guarded);
    await guarded('good', HERE);
    await expect(guarded('bad', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('may fail again after the window, as often as before', async () => {
    const guarded = guard();
    await fail(guarded);
    await vi.advanceTimersByTimeAsync(10_000);
    await fail(guarded);
    await expect(guarded('bad', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('does not limit other addresses', async () => {
    const guarded = guard();
    await fail(guarded);
    await fail(guarded, THERE, 1);
  });

  it('is a whole IPv6 subnet', async () => {
    const guarded = guard();
    for (const host of ['1', '2', '3']) await fail(guarded, `2001:db8:0:1::${host}`, 1);
    await expect(guarded('bad', '2001:db8:0:1:9:9:9:9')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await fail(guarded, '2001:db8:0:2::1', 1);
  });

  it('has no further failures when they arrive all at once', async () => {
    const guarded = guard();
    const guesses = Array.from({ length: 50 }, (_, index) => guarded(`guess-${index}`, HERE).catch((error) => error.code));
    const answers = await Promise.all(guesses);
    expect(answers.filter((code) => code === 'UNAUTHORIZED')).toHaveLength(3);
  });
});

describe('all addresses together', () => {
  it('have a limit of failures, beyond which only wrong tokens are refused', async () => {
    const guarded = guard({ inAll: 5 });
    for (let host = 1; host <= 5; host++) await fail(guarded, `198.51.100.${host}`, 1);
    await expect(guarded('bad', HERE)).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      message: expect.stringContaining('all addresses'),
    });
    expect(await guarded('good', HERE)).toEqual({ owner: 'good' });
    await vi.advanceTimersByTimeAsync(10_000);
    await fail(guarded, HERE, 1);
  });

  it('keep theirs when one address uses up its own', async () => {
    const guarded = guard({ inAll: 4 });
    await fail(guarded);
    for (let guess = 0; guess < 20; guess++) await expect(guarded('bad', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await fail(guarded, THERE, 1);
  });
});

describe('no failure of the address', () => {
  it('is a success, however many there are', async () => {
    const guarded = guard();
    await fail(guarded, HERE, 2);
    for (let request = 0; request < 20; request++) await guarded('good', HERE);
    await fail(guarded, HERE, 1);
    await expect(guarded('bad', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('is a fault of the server', async () => {
    const guarded = guard();
    for (let request = 0; request < 10; request++) await expect(guarded('broken', HERE)).rejects.toThrow('the database');
    await fail(guarded, HERE, 3);
  });
});

it('a token that was revoked is a wrong one', async () => {
  const guarded = guard();
  await guarded('good', HERE);
  valid.delete('good');
  for (let request = 0; request < 3; request++) {
    await expect(guarded('good', HERE)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  }
  await expect(guarded('good', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
});

it('failures are dropped after enough other addresses failed, so that memory is bounded', async () => {
  const guarded = guard({ remembered: 2 });
  await fail(guarded);
  await fail(guarded, THERE, 1);
  await expect(guarded('bad', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  await fail(guarded, '198.51.100.2', 1);
  await fail(guarded, '198.51.100.3', 1);
  await fail(guarded, HERE, 1);
});

it('tokens and capabilities are let in after a restart, however many wrong tokens came from their address', async () => {
  const bench = new EdgeBench({ failures: { failures: 3, inAll: 5 } });
  const { sessionId } = await bench.openTinySession();
  for (let failure = 0; failure < 10; failure++) await bench.list(`wrong-${failure}`);
  for (let failure = 0; failure < 10; failure++) await bench.list(newToken(TOKEN_PREFIX));
  expect((await bench.list('wrong')).status).toBe(429);

  expect((await bench.list(ADMIN_TOKEN)).status).toBe(200);
  expect((await bench.list(await bench.issueAdminToken())).status).toBe(200);
  const path = `/api/uploads/${sessionId}`;
  const granted = await bench.send('POST', `${path}/capabilities`, { authorization: `Bearer ${ADMIN_TOKEN}` }, {});
  const { basePath } = (await granted.json()) as { basePath: string };
  expect((await bench.send('GET', basePath + path)).status).toBe(200);
});

describe('a token that no version of the server can have made', () => {
  it.each([
    'pw_',
    'pw_short',
    `pw_${'x'.repeat(33)}`,
    `pw_${'ä'.repeat(32)}`,
    `pwc_${'x'.repeat(31)}`,
    'x'.repeat(35),
    'password',
  ])('is unknown without a look at the database: %s', async (token) => {
    const bench = new EdgeBench();
    const asked: string[] = [];
    const watched = interpose(bench.sessions, (name, call) => {
      asked.push(name);
      return call();
    });
    const ask = createAuthenticate(watched, ADMIN_TOKEN, bench.clock.now);
    await expect(ask({ token, isInPath: false })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    expect(asked).toEqual([]);
  });

  it('is distinguished from tokens of earlier versions, which stay valid', async () => {
    const bench = new EdgeBench();
    // Tokens as versions before the check of their shape made them.
    const token = 'pw_Zm9yLXRoZS10ZXN0cy1vZi1wYXJ0d2F5';
    await bench.sessions.insertToken(aToken({ scopes: ['admin'], hash: hashToken(token) }));
    expect((await bench.list(token)).status).toBe(200);
  });
});
