import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionStore } from './port/session-store.ts';
import { type PassingState, SessionStoreStartError } from './port/start-error.ts';
import { SessionStoreUnavailable, type Unavailability } from './port/unavailable.ts';

/** Wait between two attempts: long enough not to burden a starting database, and shorter than clients wait between two tries. */
const AGAIN_AFTER_MS = 2_000;

/** States that a server waits for to end. A read-only database, or one that another server has, is an error for the administrator. */
const WORTH_WAITING: readonly (PassingState | undefined)[] = ['away', 'full', 'disk-error'];

/** A session store that may be opened later than its server starts. */
export interface LateStore {
  /** While the database is away, every method rejects with SessionStoreUnavailable, as it does when it goes away later. */
  readonly sessions: SessionStore;
  readonly isOpen: boolean;
  /** Resolves to true once the session store is open, and to false if it was given up before. Rejects if these settings cannot work. */
  readonly opened: Promise<boolean>;
  /** Stops trying; `opened` settles after an attempt that is in progress. */
  giveUp(): void;
}

/**
 * Opens a session store, and keeps trying while the reason of a failure may be temporary.
 * @throws SessionStoreStartError if the first attempt fails for another reason
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
    while (await sleepUnlessEnded(againAfterMs, givenUp.signal)) {
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

/** @returns the session store, or the reason why it cannot be opened yet. */
async function attempt(open: () => Promise<SessionStore>): Promise<SessionStore | SessionStoreUnavailable> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof SessionStoreStartError) || !WORTH_WAITING.includes(error.state)) throw error;
    const { message, hint, state, cause } = error;
    return new SessionStoreUnavailable(`${message} ${hint}`, state as Unavailability, { cause });
  }
}

/** @returns false if it was ended early. */
function sleepUnlessEnded(ms: number, end: AbortSignal): Promise<boolean> {
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

/** Makes an object whose methods, all async, call those of `target()` at the time of the call, except for its `own`. */
function forwarding<Port extends object>(target: () => Port, own: Partial<Port>): Port {
  return new Proxy(own as Port, {
    get(_, name) {
      // An object with a method `then` would count as a promise.
      if (name in own || name === 'then') return Reflect.get(own, name);
      return async (...parameters: unknown[]) => {
        const current = target();
        return Reflect.apply(Reflect.get(current, name) as (...all: unknown[]) => unknown, current, parameters);
      };
    },
  });
}
