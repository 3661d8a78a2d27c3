import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { guardAuthentication } from '../../../src/server/edge/failure-limit.ts';
import { UploadError } from '../../../src/session/errors.ts';
import { ADMIN_TOKEN } from '../../support/control-plane.ts';
import { EdgeBench } from '../../support/edge-bench.ts';

const HERE = '192.0.2.1';
const THERE = '198.51.100.1';
/** Three failures in ten seconds. */
const LIMITS = { failures: 3, windowSeconds: 10 };

let valid: Set<string>;
let asked: (string | undefined)[];
beforeEach(() => {
  vi.useFakeTimers();
  valid = new Set(['Bearer good', 'Bearer other']);
  asked = [];
});
afterEach(() => {
  vi.useRealTimers();
});

async function authenticate(authorization: string | undefined) {
  asked.push(authorization);
  await Promise.resolve();
  if (authorization === 'Bearer broken') throw new Error('the database is away');
  if (authorization === undefined || !valid.has(authorization)) throw new UploadError('UNAUTHORIZED', 'unknown');
  return { owner: authorization };
}

const guard = (limits = {}) => guardAuthentication(authenticate, { ...LIMITS, ...limits });

async function fail(guarded: ReturnType<typeof guard>, address = HERE, times = 3): Promise<void> {
  for (let failure = 1; failure <= times; failure++) {
    await expect(guarded(`Bearer bad-${failure}`, address)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  }
}

describe('an address that failed to authenticate too often', () => {
  it('is refused with the time to wait, and its token is not looked at, valid or not', async () => {
    const guarded = guard();
    await fail(guarded);
    await vi.advanceTimersByTimeAsync(3_500);
    asked = [];
    for (const authorization of ['Bearer bad', 'Bearer good', undefined]) {
      await expect(guarded(authorization, HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED', facts: { retryAfterSeconds: 7 } });
    }
    expect(asked).toEqual([]);
  });

  it('may try again after the window, as often as before', async () => {
    const guarded = guard();
    await fail(guarded);
    await vi.advanceTimersByTimeAsync(10_000);
    await fail(guarded);
    await expect(guarded('Bearer good', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('keeps nobody else waiting', async () => {
    const guarded = guard();
    await fail(guarded);
    expect(await guarded('Bearer good', THERE)).toEqual({ owner: 'Bearer good' });
  });

  it('still serves the token that worked from there before', async () => {
    const guarded = guard();
    await guarded('Bearer good', HERE);
    await fail(guarded);
    expect(await guarded('Bearer good', HERE)).toEqual({ owner: 'Bearer good' });
    // Not every token that would work: whether it does is what a guess is about.
    await expect(guarded('Bearer other', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('is not served for what the token did elsewhere', async () => {
    const guarded = guard();
    await guarded('Bearer good', THERE);
    await fail(guarded);
    await expect(guarded('Bearer good', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('is a whole IPv6 subnet', async () => {
    const guarded = guard();
    for (const host of ['1', '2', '3']) await fail(guarded, `2001:db8:0:1::${host}`, 1);
    await expect(guarded('Bearer good', '2001:db8:0:1:9:9:9:9')).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(await guarded('Bearer good', '2001:db8:0:2::1')).toEqual({ owner: 'Bearer good' });
  });

  it('had no more guesses when they came all at once', async () => {
    const guarded = guard();
    const guesses = Array.from({ length: 50 }, (_, index) => guarded(`Bearer guess-${index}`, HERE).catch((error) => error.code));
    const answers = await Promise.all(guesses);
    expect(answers.filter((code) => code === 'UNAUTHORIZED')).toHaveLength(3);
    expect(asked).toHaveLength(3);
  });
});

describe('no failure of the address', () => {
  it('is a success, however many there are', async () => {
    const guarded = guard();
    await fail(guarded, HERE, 2);
    for (let request = 0; request < 20; request++) {
      await guarded('Bearer good', HERE);
      await guarded('Bearer other', HERE);
    }
    await fail(guarded, HERE, 1);
    await expect(guarded('Bearer bad', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('is a client that begins with many requests at once', async () => {
    const guarded = guard();
    const requests = Array.from({ length: 50 }, () => guarded('Bearer good', HERE));
    await expect(Promise.all(requests)).resolves.toHaveLength(50);
  });

  it('is a fault of the server', async () => {
    const guarded = guard();
    for (let request = 0; request < 10; request++) await expect(guarded('Bearer broken', HERE)).rejects.toThrow('the database');
    expect(await guarded('Bearer good', HERE)).toEqual({ owner: 'Bearer good' });
  });
});

describe('a token that worked', () => {
  it('is asked about each time, and is like any other once it is revoked', async () => {
    const guarded = guard();
    await guarded('Bearer good', HERE);
    valid.delete('Bearer good');
    for (let request = 0; request < 3; request++) {
      await expect(guarded('Bearer good', HERE)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    }
    await expect(guarded('Bearer good', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('is forgotten when as many others worked since, so that memory is bounded', async () => {
    const guarded = guard({ remembered: 1 });
    await guarded('Bearer good', HERE);
    await guarded('Bearer other', HERE);
    await fail(guarded);
    expect(await guarded('Bearer other', HERE)).toEqual({ owner: 'Bearer other' });
    await expect(guarded('Bearer good', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  });
});

it('failures are forgotten when as many other addresses failed since, so that memory is bounded', async () => {
  const guarded = guard({ remembered: 2 });
  await fail(guarded);
  await fail(guarded, THERE, 1);
  await expect(guarded('Bearer bad', HERE)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
  await fail(guarded, '198.51.100.2', 1);
  await fail(guarded, '198.51.100.3', 1);
  await fail(guarded, HERE, 1);
});

it('one capability in the path is one token, whatever headers come with it: it pushes nobody out of what is remembered', async () => {
  const bench = new EdgeBench({ failures: { failures: 3, remembered: 5 } });
  const { sessionId } = await bench.openTinySession();
  const path = `/api/uploads/${sessionId}`;
  // Also makes the admin's token one that worked from here.
  const granted = await bench.send('POST', `${path}/capabilities`, { authorization: `Bearer ${ADMIN_TOKEN}` }, {});
  const { basePath } = (await granted.json()) as { basePath: string };
  for (let header = 0; header < 10; header++) {
    expect((await bench.send('GET', basePath + path, { authorization: `Bearer none-${header}` })).status).toBe(200);
  }
  for (let failure = 0; failure < 3; failure++) await bench.list(`wrong-${failure}`);

  expect((await bench.list(ADMIN_TOKEN)).status).toBe(200);
});
