import { setTimeout as sleep } from 'node:timers/promises';
import { type SessionStore, SessionStoreUnavailable, type Unavailability } from './port/session-store.ts';
import { type PassingState, SessionStoreStartError } from './port/start-error.ts';

/** Long enough not to burden a database that starts, and shorter than clients wait between two tries. */
const AGAIN_AFTER_MS = 2_000;

/** What a server waits for. A database that may only be read, or that another server has, is told to the person who starts it. */
const WORTH_WAITING: readonly (PassingState | undefined)[] = ['away', 'full', 'disk-error'];

/** A session store that may be opened later than its server starts. */
export interface LateStore {
  /** While the database is away, every method rejects with SessionStoreUnavailable, as it does when it goes away later. */
  readonly sessions: SessionStore;
  readonly isOpen: boolean;
  /** True once it is open, false if it was given up before. Rejects where it cannot be opened with these settings. */
  readonly opened: Promise<boolean>;
  /** Opens it no more; `opened` settles after an attempt that is in progress. */
  giveUp(): void;
}

/**
 * Opens a store, and keeps trying while the reason for a failure may pass.
 * @throws SessionStoreStartError where the first attempt fails for another reason
 */
export async function openOrWait(
  open: () => Promise<SessionStore>,
  { isShared, againAfterMs = AGAIN_AFTER_MS }: { readonly isShared: boolean; readonly againAfterMs?: number },
): Promise<LateStore> {
  const givenUp = new AbortController();
  let latest = await attempt(open);
  if (!(latest instanceof SessionStoreUnavailable)) {
    return { sessions: latest, isOpen: true, opened: Promise.resolve(true), giveUp() {} };
  }
  const opened = keepTrying();
  // A rejection must not end the process before the server listens and asks for it.
  opened.catch(() => {});
  return {
    sessions: forwardingStore(() => latest, isShared),
    get isOpen() {
      return !(latest instanceof SessionStoreUnavailable);
    },
    opened,
    giveUp: () => givenUp.abort(),
  };

  async function keepTrying(): Promise<boolean> {
    while (await pause(againAfterMs, givenUp.signal)) {
      const result = await attempt(open);
      if (givenUp.signal.aborted) {
        if (!(result instanceof SessionStoreUnavailable)) await result.close();
        return false;
      }
      latest = result;
      if (!(result instanceof SessionStoreUnavailable)) return true;
    }
    return false;
  }
}

/** @returns the store, or the reason why it cannot be opened yet. */
async function attempt(open: () => Promise<SessionStore>): Promise<SessionStore | SessionStoreUnavailable> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof SessionStoreStartError) || !WORTH_WAITING.includes(error.state)) throw error;
    const { message, hint, state, cause } = error;
    return new SessionStoreUnavailable(`${message} ${hint}`, state as Unavailability, { cause });
  }
}

/** @returns false where it was ended early. */
function pause(ms: number, end: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal: end }).catch(() => false);
}

function forwardingStore(latest: () => SessionStore | SessionStoreUnavailable, isShared: boolean): SessionStore {
  const store = () => {
    const current = latest();
    if (current instanceof SessionStoreUnavailable) throw current;
    return current;
  };
  return forwarding(store, {
    isShared,
    outbox: forwarding(() => store().outbox, {}),
    async close() {
      const current = latest();
      if (!(current instanceof SessionStoreUnavailable)) await current.close();
    },
  });
}

/** An object whose methods, which are all async, are those of `target()` at the time of the call, but for its `own`. */
function forwarding<Port extends object>(target: () => Port, own: Partial<Port>): Port {
  return new Proxy(own as Port, {
    get(_, name) {
      // An object with a method `then` would be taken for a promise.
      if (name in own || name === 'then') return Reflect.get(own, name);
      return async (...parameters: unknown[]) => {
        const current = target();
        return Reflect.apply(Reflect.get(current, name) as (...all: unknown[]) => unknown, current, parameters);
      };
    },
  });
}
