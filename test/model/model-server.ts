import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { createAdaptorServer } from '@hono/node-server';
import { type ObjectStore, ObjectStoreError } from '../../src/object-store/port.ts';
import { createAuthenticate } from '../../src/server/access/auth.ts';
import { createApp } from '../../src/server/app.ts';
import { noAudit } from '../../src/server/audit/event.ts';
import type { ServiceDeps } from '../../src/server/core/deps.ts';
import { newSessionId } from '../../src/server/core/session-id.ts';
import { sweep } from '../../src/server/lifecycle/sweeper.ts';
import { createMetrics } from '../../src/server/metrics/metrics.ts';
import { createService } from '../../src/server/service.ts';
import type { SessionStore } from '../../src/session-store/port/session-store.ts';
import { interpose } from '../support/interpose.ts';
import { POLICY } from '../support/server/control-plane.ts';
import type { ObjectStoreMethod } from '../support/store/fake-object-store.ts';
import type { StoreFault } from './schedule.ts';

export const TOKEN = 'the-token-of-the-model-tests';

export interface ModelServerOptions {
  readonly sessions: SessionStore;
  readonly objects: ObjectStore;
  readonly now: () => number;
  readonly storeFaults: readonly StoreFault[];
  /** Runs before each call to the store and after it. */
  readonly onStoreCall: (method: ObjectStoreMethod, state: 'begun' | 'over', args: readonly unknown[]) => void;
  /** Runs for an error that the server reports as INTERNAL. */
  readonly onBug: (what: string) => void;
}

/** One life of the control plane. A kill leaves its work unfinished, except for calls that the stores have already begun. */
interface Life {
  ended: boolean;
  readonly deps: ServiceDeps;
  readonly fetch: (request: Request) => Response | Promise<Response>;
}

/** The real control plane behind a real socket. It can be killed at any moment, and restarts on the same stores and port. */
export class ModelServer {
  /** Dependencies without faults and kills, for observers and for the end of a schedule. */
  readonly deps: ServiceDeps;
  readonly #options: ModelServerOptions;
  readonly #calls = new Map<ObjectStoreMethod, number>();
  readonly #listener: Server;
  #life: Life | undefined;
  #faultless = false;

  private constructor(options: ModelServerOptions) {
    this.#options = options;
    this.deps = this.#depsOn(options.sessions, options.objects);
    this.#listener = createAdaptorServer({
      fetch: (request) => this.#life?.fetch(request) ?? new Response(null, { status: 502 }),
    }) as Server;
    this.#listener.on('connection', (socket) => {
      if (this.#life === undefined) socket.resetAndDestroy();
    });
  }

  static async start(options: ModelServerOptions): Promise<ModelServer> {
    const server = new ModelServer(options);
    server.#startLife();
    await new Promise<void>((resolve) => server.#listener.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  async kill(downMs: number): Promise<void> {
    this.#endLife();
    await wait(downMs);
    // Two kills may overlap.
    if (this.#life === undefined) this.#startLife();
  }

  /** Runs the sweep that a server runs every minute. */
  async sweep(): Promise<void> {
    const life = this.#life;
    if (life) await Promise.race([sweep(life.deps), wait(1_000)]);
  }

  /** Injects no more faults. */
  spare(): void {
    this.#faultless = true;
  }

  async close(): Promise<void> {
    this.#endLife();
    await new Promise((resolve) => this.#listener.close(resolve));
  }

  #endLife(): void {
    if (this.#life) this.#life.ended = true;
    this.#life = undefined;
    this.#listener.closeAllConnections();
  }

  #startLife(): void {
    const { sessions, objects } = this.#options;
    const life: Life = {
      ended: false,
      deps: this.#depsOn(
        interpose(sessions, (_, call) => unlessDead(life, call)),
        interpose(objects, (method, call, args) =>
          unlessDead(life, () => this.#askStore(method as ObjectStoreMethod, call, args)),
        ),
      ),
      fetch: (request) => app.fetch(request),
    };
    const app = createApp({
      service: createService(life.deps, noAudit),
      authenticate: createAuthenticate(sessions, TOKEN, this.#options.now),
      audit: noAudit,
      addressOf: () => '192.0.2.7',
      log: life.deps.log,
      metrics: createMetrics({ sessions, hasWebhook: false, now: life.deps.now, log: life.deps.log, version: '0.0.0' }),
      version: '0.0.0',
      shutdown: new AbortController().signal,
    });
    this.#life = life;
    // Every start sweeps at once, because no request can be in progress yet.
    void sweep(life.deps, 0);
  }

  async #askStore(method: ObjectStoreMethod, call: () => Promise<unknown>, args: readonly unknown[]): Promise<unknown> {
    const { storeFaults, onStoreCall } = this.#options;
    const attempt = (this.#calls.get(method) ?? 0) + 1;
    this.#calls.set(method, attempt);
    const fault = this.#faultless ? undefined : storeFaults.find((each) => each.method === method && each.attempt === attempt);
    const failure = fault && new ObjectStoreError(fault.failure, `injected: ${fault.failure}`);
    if (failure && !fault?.afterEffect) throw failure;
    onStoreCall(method, 'begun', args);
    try {
      const result = await call();
      if (failure) throw failure;
      return result;
    } finally {
      onStoreCall(method, 'over', args);
    }
  }

  #depsOn(sessions: SessionStore, objects: ObjectStore): ServiceDeps {
    const { now, onBug } = this.#options;
    return {
      sessions,
      objects,
      now,
      newSessionId,
      policy: POLICY,
      audit: () => {},
      log: {
        info: () => {},
        warn: () => {},
        error: (fields) => {
          const { code, err } = fields as { code?: string; err?: Error };
          if (code === 'INTERNAL') onBug(`the server met an error that it did not foresee: ${err?.stack}`);
        },
      },
    };
  }
}

/** Makes calls of a dead process hang: it gets no answers and makes no more calls. */
async function unlessDead(life: Life, call: () => Promise<unknown>): Promise<unknown> {
  if (life.ended) return never();
  const outcome = await call().then(
    (result) => () => result,
    (error: unknown) => () => {
      throw error;
    },
  );
  return life.ended ? never() : outcome();
}

function never(): Promise<never> {
  return new Promise(() => {});
}
