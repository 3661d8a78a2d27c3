import { afterAll, describe, it } from 'vitest';
import { ObjectStoreError } from '../../src/object-store/port.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import { openPostgresStore } from '../../src/session-store/postgres/session-store.ts';
import { openSqliteStore } from '../../src/session-store/sqlite/session-store.ts';
import { createTestDatabase, needsPostgres, type TestDatabase } from '../support/database/postgres.ts';
import type { Around } from '../support/interpose.ts';
import { adminService, ServiceBench } from '../support/server/control-plane.ts';
import { checkInvariants, finishWhatIsOpen, operations, type Scene, settleDown } from './interrupted-operations.ts';

/**
 * Fails every call that an operation makes to either store once, before its effect and after it, until a run has no such
 * call. `crash` is the process dying there: no later call of that run happens either. Afterwards a new service on the same
 * stores, and the sweeper, must bring everything to an end that loses nothing.
 */

type Store = 'session store' | 'object store';
type Moment = 'before its effect' | 'after its effect';
type Kind = 'fault' | 'crash';

/** Fails the `nth` call to one of the stores, once armed. */
class Fault {
  readonly store: Store;
  readonly moment: Moment;
  readonly kind: Kind;
  readonly nth: number;
  /** The call that failed; undefined while none has. */
  hit: string | undefined;
  #armed = false;
  #seen = 0;

  constructor(store: Store, moment: Moment, kind: Kind, nth: number) {
    this.store = store;
    this.moment = moment;
    this.kind = kind;
    this.nth = nth;
  }

  around(store: Store): Around {
    return async (method, call) => {
      if (!this.#armed) return call();
      if (this.hit !== undefined && this.kind === 'crash') return new Promise(() => undefined);
      if (store !== this.store || ++this.#seen !== this.nth) return call();
      this.hit = method;
      if (this.moment === 'after its effect') await call().catch(() => undefined);
      if (this.kind === 'crash') {
        this.#died();
        return new Promise(() => undefined);
      }
      throw store === 'object store' ? new ObjectStoreError('unavailable', 'injected') : new Error('injected: disk I/O error');
    };
  }

  #died: () => void = () => undefined;

  /** Runs `operation` with the fault armed, until it has ended or the process has died. */
  async during(operation: () => Promise<unknown>): Promise<void> {
    const death = new Promise<void>((resolve) => {
      this.#died = resolve;
    });
    this.#armed = true;
    await Promise.race([death, operation().catch(() => undefined)]);
    this.#armed = false;
  }

  toString(): string {
    return `${this.kind} ${this.moment} at call ${this.nth} to the ${this.store} (${this.hit})`;
  }
}
const faults: readonly [Store, Moment, Kind][] = (['session store', 'object store'] as const).flatMap((store) =>
  (['before its effect', 'after its effect'] as const).flatMap((moment) =>
    (['fault', 'crash'] as const).map((kind): [Store, Moment, Kind] => [store, moment, kind]),
  ),
);

/** Far more calls than any operation makes: a run that never ends would be a bug of the test. */
const ENOUGH = 60;

describe('with SQLite', () => {
  describeOperations(async () => {
    const store = openSqliteStore(':memory:');
    return { store, close: () => store.close() };
  });
});

describe('with PostgreSQL', () => {
  needsPostgres();
  let database: TestDatabase | undefined;
  let store: SessionStore | undefined;
  afterAll(async () => {
    await store?.close();
    await database?.drop();
  });

  describeOperations(async () => {
    database ??= await createTestDatabase();
    store ??= await openPostgresStore(database.url);
    // Some two thousand runs: one store serves them all.
    return { store, close: database.clear };
  });
});

function describeOperations(openEmptyStore: () => Promise<{ store: SessionStore; close(): Promise<void> }>): void {
  describe.each(operations)('$name', (operation) => {
    it.each(faults)('survives a failing %s, %s, as a %s', async (store, moment, kind) => {
      for (let nth = 1; nth <= ENOUGH; nth++) {
        const fault = new Fault(store, moment, kind, nth);
        const { store: sessions, close } = await openEmptyStore();
        const scene = aScene(fault, sessions);
        const sessionId = await operation.prepare(scene);
        await fault.during(() => operation.run(scene, sessionId));
        try {
          await settleDown(scene.bench);
          await checkInvariants(scene.bench, operation);
          await finishWhatIsOpen(scene.bench);
        } catch (error) {
          throw new Error(`after a ${fault}`, { cause: error });
        } finally {
          await close();
        }
        if (fault.hit === undefined) return;
      }
      throw new Error(`more than ${ENOUGH} calls`);
    });
  });
}

function aScene(fault: Fault, sessions: SessionStore): Scene {
  const bench = new ServiceBench({
    sessions,
    aroundSessions: fault.around('session store'),
    aroundObjects: fault.around('object store'),
  });
  return { bench, service: adminService(bench.deps) };
}
