import { once } from 'node:events';
import * as net from 'node:net';

/** What a connection meets: it is served, refused by the port, accepted and reset at once, or swallowed without a word. */
type LinkState = 'up' | 'refusing' | 'resetting' | 'frozen';

/** TCP between a client and one server, and what may become of it. It knows nothing of HTTP. */
export interface FaultyLink {
  /** For example `http://127.0.0.1:21234`. */
  readonly url: string;
  /** Connections that clients opened so far, those that were reset at once included. */
  readonly connections: number;
  /** Upper bound on what all connections together send to the server. Undefined for none. */
  bytesPerSecond: number | undefined;
  /** Connections are reset, new ones are refused. */
  refuse(): Promise<void>;
  /** Connections are reset, new ones as soon as they are made. */
  reset(): void;
  /** A black hole: nothing moves in any connection, and new ones hear nothing. */
  freeze(): void;
  /** Back up. Frozen connections go on, as packets that are sent again do, unless they `stayFrozen`: the next `restore()` ends those. */
  restore(options?: { stayFrozen?: boolean }): Promise<void>;
  close(): Promise<void>;
}

interface Connection {
  readonly client: net.Socket;
  readonly upstream: net.Socket;
  /** Nothing comes through it any more, whatever becomes of the link. */
  isDead: boolean;
  /** Resolves when nothing holds its bytes. */
  thawed: Promise<void>;
  thaw(): void;
}

const SLICE_MS = 20;

/** Listens on a port of its own that stays the same, also after it refused connections for a while. */
export async function startFaultyLink(target: { host: string; port: number }): Promise<FaultyLink> {
  const open = new Set<Connection>();
  const server = net.createServer({ allowHalfOpen: true }, accept);
  let state: LinkState = 'up';
  let connections = 0;
  const budget = createBudget();

  function accept(client: net.Socket): void {
    connections += 1;
    client.on('error', () => {});
    if (state === 'resetting') {
      client.resetAndDestroy();
      return;
    }
    const upstream = net.connect({ ...target, allowHalfOpen: true });
    const connection: Connection = { client, upstream, isDead: false, thawed: Promise.resolve(), thaw: () => {} };
    if (state === 'frozen') freeze(connection);
    open.add(connection);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => {});
      from.on('close', (broken) => {
        open.delete(connection);
        // Each end hears of the other's end as it happened: in order, or by a reset.
        if (broken) to.resetAndDestroy();
        else if (!to.writableEnded) to.destroy();
      });
      void pump(from, to, connection).catch(() => from.resetAndDestroy());
    }
  }

  async function pump(from: net.Socket, to: net.Socket, connection: Connection): Promise<void> {
    for await (const bytes of from as AsyncIterable<Buffer>) {
      await connection.thawed;
      if (from === connection.client) await budget.spend(bytes.length);
      await connection.thawed;
      await new Promise<void>((resolve) => to.write(bytes, () => resolve()));
    }
    to.end();
  }

  async function listen(port: number): Promise<void> {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }

  function resetAll(): void {
    for (const connection of open) reset(connection);
  }

  await listen(0);
  const { port } = server.address() as net.AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    get bytesPerSecond() {
      return budget.bytesPerSecond;
    },
    set bytesPerSecond(bytesPerSecond) {
      budget.bytesPerSecond = bytesPerSecond;
    },
    async refuse() {
      state = 'refusing';
      const closed = once(server, 'close');
      server.close();
      resetAll();
      await closed;
    },
    reset() {
      state = 'resetting';
      resetAll();
    },
    freeze() {
      state = 'frozen';
      for (const connection of open) freeze(connection);
    },
    async restore({ stayFrozen = false } = {}) {
      if (state === 'refusing') await listen(port);
      state = 'up';
      for (const connection of open) {
        if (stayFrozen) connection.isDead = true;
        else if (connection.isDead) reset(connection);
        else connection.thaw();
      }
    },
    async close() {
      for (const connection of open) connection.thaw();
      resetAll();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reset({ client, upstream }: Connection): void {
  client.resetAndDestroy();
  upstream.resetAndDestroy();
}

function freeze(connection: Connection): void {
  connection.thawed = new Promise((resolve) => {
    connection.thaw = resolve;
  });
}

/** Time is the budget: each byte books its share of it, and whoever is ahead of the clock waits. */
function createBudget() {
  let bookedUntil = performance.now();
  return {
    bytesPerSecond: undefined as number | undefined,
    async spend(bytes: number): Promise<void> {
      if (this.bytesPerSecond === undefined) return;
      const now = performance.now();
      bookedUntil = Math.max(bookedUntil, now) + (bytes * 1_000) / this.bytesPerSecond;
      const aheadMs = bookedUntil - now;
      if (aheadMs > SLICE_MS) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    },
  };
}
