import { describe, expect, it, onTestFinished } from 'vitest';
import { openOrWait } from '../../src/session-store/late-store.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import { type PassingState, SessionStoreStartError } from '../../src/session-store/port/start-error.ts';
import { SessionStoreUnavailable } from '../../src/session-store/port/unavailable.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { interpose } from '../support/interpose.ts';

const failing = (state?: PassingState) => new SessionStoreStartError('It cannot be opened.', 'Look at it.', { state });
const QUICKLY = { isShared: false, againAfterMs: 1 };

/** Fails in these ways, one attempt after another, and then opens a store in memory. */
function openingAfter(...failures: readonly Error[]) {
  let attempts = 0;
  return async (): Promise<SessionStore> => {
    const failure = failures[attempts++];
    if (failure !== undefined) throw failure;
    const store = openSqliteStore(':memory:');
    onTestFinished(() => store.close());
    return store;
  };
}

describe('a store that is opened late', () => {
  it('is the store itself if it opens at once', async () => {
    const { sessions, isOpen, opened } = await openOrWait(openingAfter(), QUICKLY);
    expect(isOpen).toBe(true);
    expect(await opened).toBe(true);
    await sessions.ping();
  });

  it.each(['away', 'full', 'disk-error'] as const)('rejects every call with the reason until it is open: %s', async (state) => {
    let isThere = () => {};
    const there = new Promise<void>((resolve) => (isThere = resolve));
    const open = openingAfter(failing(state));
    let attempts = 0;
    const late = await openOrWait(async () => {
      if (attempts++ > 0) await there;
      return open();
    }, QUICKLY);
    expect(late.isOpen).toBe(false);
    for (const call of [late.sessions.ping(), late.sessions.listTokens(), late.sessions.outbox.backlog()]) {
      await expect(call).rejects.toMatchObject({
        name: 'SessionStoreUnavailable',
        reason: state,
        message: 'It cannot be opened. Look at it.',
      });
    }
    isThere();
    expect(await late.opened).toBe(true);
    expect(late.isOpen).toBe(true);
    await late.sessions.ping();
    expect(await late.sessions.listTokens()).toEqual([]);
    expect(await late.sessions.outbox.list({ limit: 1 })).toEqual([]);
    expect(late.sessions.isShared).toBe(false);
  });

  it.each([undefined, 'read-only', 'in-use'] as const)('fails at once if the reason will not pass: %s', async (state) => {
    await expect(openOrWait(openingAfter(failing(state)), QUICKLY)).rejects.toMatchObject({
      name: 'SessionStoreStartError',
      state,
    });
  });

  it('fails for good if a later attempt fails for a reason that will not pass', async () => {
    const late = await openOrWait(openingAfter(failing('away'), failing('away'), failing()), QUICKLY);
    await expect(late.opened).rejects.toBeInstanceOf(SessionStoreStartError);
    await expect(late.sessions.ping()).rejects.toBeInstanceOf(SessionStoreUnavailable);
  });

  it('is closed again if its caller gave up during the attempt that opened it', async () => {
    let closed = 0;
    let attempts = 0;
    const late = await openOrWait(async () => {
      if (attempts++ === 0) throw failing('away');
      late.giveUp();
      return interpose(openSqliteStore(':memory:'), (method, call) => {
        if (method === 'close') closed += 1;
        return call();
      });
    }, QUICKLY);
    expect(await late.opened).toBe(false);
    expect(closed).toBe(1);
    await late.sessions.close();
  });

  it('is not tried again after its caller gave up', async () => {
    const late = await openOrWait(openingAfter(failing('away')), { isShared: true, againAfterMs: 3_600_000 });
    late.giveUp();
    expect(await late.opened).toBe(false);
    expect(late.sessions.isShared).toBe(true);
    await late.sessions.close();
  });
});
