import { describe, expect, it } from 'vitest';
import { ObjectStoreError } from '../../src/object-store/port.ts';
import {
  createSigning,
  type SigningDeps,
  type SigningOptions,
  type SigningSession,
  sessionSeconds,
} from '../../src/object-store/signing-credentials.ts';
import { expectFailure } from '../suites/object-store.ts';
import { TestClock } from '../support/server/control-plane.ts';

const MINUTE = 60_000;
const account = { accessKeyId: 'account', secretAccessKey: 'of the account' };
const refused = () => new ObjectStoreError('refused', 'AccessDenied (403): Access Denied.');
const unavailable = () => new ObjectStoreError('unavailable', 'no answer');

/** A fake STS: sessions s1, s2 … of two hours; `next` makes one fail, or decides when it is answered. */
function aBench(options: SigningOptions = { kind: 'auto', urlTtlSeconds: 3_600 }, changes: Partial<SigningDeps> = {}) {
  const clock = new TestClock();
  const warnings: { fields: object; message: string }[] = [];
  const next: (() => unknown)[] = [];
  let asked = 0;
  const signing = createSigning(options, {
    account,
    now: clock.now,
    log: { warn: (fields, message) => warnings.push({ fields, message }) },
    checkAccount: async () => {},
    async assumeRole(seconds): Promise<SigningSession> {
      const name = `s${++asked}`;
      const expiresAt = clock.at + seconds * 1000;
      await next.shift()?.();
      return { kind: 'sts', accessKeyId: name, secretAccessKey: 'x', sessionToken: 'y', expiresAt };
    },
    ...changes,
  });
  const current = async () => (await signing.current()).accessKeyId;
  const fail = (error: Error) => next.push(() => Promise.reject(error));
  return { clock, signing, current, warnings, next, fail, askedSoFar: () => asked };
}

/** Lets work in the background finish, which waits for nothing else. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('a signing session', () => {
  it('lasts twice as long as a URL, within the limits of object stores', () => {
    expect([10, 450, 3_600, 604_800].map(sessionSeconds)).toEqual([900, 900, 7_200, 604_800]);
  });

  it('is asked for once, however many URLs wait for the first', async () => {
    const { current, askedSoFar } = aBench();
    expect(await Promise.all([current(), current(), current()])).toEqual(['s1', 's1', 's1']);
    expect(await current()).toBe('s1');
    expect(askedSoFar()).toBe(1);
  });

  it('is renewed once at half of its life, and no caller waits for that', async () => {
    const { clock, current, next, askedSoFar } = aBench();
    await current();
    clock.advance(60 * MINUTE);
    expect(await current()).toBe('s1');
    expect(askedSoFar()).toBe(1);

    let give = () => {};
    next.push(() => new Promise<void>((resolve) => (give = resolve)));
    clock.advance(1);
    expect(await Promise.all([current(), current()])).toEqual(['s1', 's1']);
    give();
    await settle();
    expect(await current()).toBe('s2');
    expect(askedSoFar()).toBe(2);
  });

  it('stays in use when the renewal fails, which is logged and tried again after a while', async () => {
    const { clock, current, warnings, fail, askedSoFar } = aBench();
    await current();
    clock.advance(61 * MINUTE);
    fail(unavailable());
    expect(await current()).toBe('s1');
    await settle();
    expect(warnings).toEqual([{ fields: { err: unavailable() }, message: expect.stringContaining('could not be renewed') }]);
    clock.advance(9_999);
    expect(await current()).toBe('s1');
    expect(askedSoFar()).toBe(2);
    clock.advance(1);
    await current();
    await settle();
    expect(await current()).toBe('s3');
  });

  it('is waited for when the old one is about to end, and a failure is reported to the caller', async () => {
    const { clock, current, fail } = aBench();
    await current();
    clock.advance(119 * MINUTE + 1);
    fail(unavailable());
    await expect(current()).rejects.toMatchObject({ failure: 'unavailable' });
    expect(await current()).toBe('s3');
  });

  it('is never replaced by the key of the account, because rights must not grow by themselves', async () => {
    const { clock, current, fail } = aBench();
    await current();
    clock.advance(120 * MINUTE);
    fail(refused());
    await expect(current()).rejects.toMatchObject({ failure: 'refused' });
  });

  it('that the object store has forgotten is replaced, and no other one', async () => {
    const { signing, current } = aBench();
    const first = await signing.current();
    signing.forget(first);
    expect(await current()).toBe('s2');
    signing.forget(first);
    expect(await current()).toBe('s2');
  });
});

describe('an object store without sessions', () => {
  it('has URLs signed with the account, which is logged once', async () => {
    const { current, warnings, fail, askedSoFar } = aBench();
    fail(refused());
    expect(await Promise.all([current(), current()])).toEqual(['account', 'account']);
    expect(await current()).toBe('account');
    expect(askedSoFar()).toBe(1);
    expect(warnings).toEqual([
      { fields: { reason: refused().message }, message: expect.stringContaining("signed with the server's own key") },
    ]);
  });

  it('is no reason to sign with the account if the setting asks for sts', async () => {
    const { current, fail } = aBench({ kind: 'sts', urlTtlSeconds: 60 });
    fail(refused());
    await expect(current()).rejects.toMatchObject({ failure: 'refused' });
  });

  it.each([
    ['does not answer', unavailable()],
    ['has no such bucket', new ObjectStoreError('bucket-missing', 'NoSuchBucket (404)')],
    ['met a bug of ours', new TypeError('undefined is not a function')],
  ])('is not assumed when it %s', async (_, error) => {
    const { current, fail, warnings } = aBench();
    fail(error);
    await expect(current()).rejects.toBe(error);
    expect(await current()).toBe('s2');
    expect(warnings).toEqual([]);
  });

  it('is not assumed if it refuses the account altogether: MinIO answers the same to a wrong key', async () => {
    const letsNobodyIn = new ObjectStoreError('refused', 'InvalidAccessKeyId (403)');
    let isLetIn = false;
    const checkAccount = async () => {
      if (!isLetIn) throw letsNobodyIn;
    };
    const { signing, current, fail } = aBench(undefined, { checkAccount });
    fail(refused());
    await expect(signing.current()).rejects.toBe(letsNobodyIn);
    isLetIn = true;
    expect(await current()).toBe('s2');
  });
});

describe('signing by a key', () => {
  it('sends no request to the object store, and does not expire', async () => {
    const { signing, askedSoFar } = aBench({ kind: 'key', accessKeyId: 'put-only', secretAccessKey: 'z' });
    expect(await signing.current()).toEqual({ kind: 'key', accessKeyId: 'put-only', secretAccessKey: 'z', expiresAt: null });
    expect(await aBench({ kind: 'shared' }).signing.current()).toEqual({ kind: 'shared', ...account, expiresAt: null });
    expect(askedSoFar()).toBe(0);
  });
});

it('an unavailable object store is asked again for each URL until it answers', async () => {
  const { signing, current, fail } = aBench();
  fail(unavailable());
  fail(unavailable());
  await expectFailure('unavailable', signing.current());
  await expectFailure('unavailable', signing.current());
  expect(await current()).toBe('s3');
});
