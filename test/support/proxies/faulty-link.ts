import { once } from 'node:events';
import * as net from 'node:net';

/** How connections are treated: served, refused by the port, accepted and reset at once, or accepted without any response. */
type LinkState = 'up' | 'refusing' | 'resetting' | 'frozen';

/** A TCP link between clients and one server that can be broken. It knows nothing of HTTP. */
export interface FaultyLink {
  /** For example `http://127.0.0.1:21234`. */
  readonly url: string;
  /** The number of connections that clients have opened so far, including those that were reset at once. */
  readonly connections: number;
  /** Limit on the bytes that all connections together send to the server. Undefined for no limit. */
  bytesPerSecond: number | undefined;
  /** Resets all connections and refuses new ones. */
  refuse(): Promise<void>;
  /** Resets all connections, and new ones as soon as they are accepted. */
  reset(): void;
  /** Becomes a black hole: nothing moves in any connection, and new ones get no response. */
  freeze(): void;
  /** Works again. Frozen connections continue, as resent packets make them, unless they `stayFrozen`: the next `restore()` resets those. */
  restore(options?: { stayFrozen?: boolean }): Promise<void>;
  close(): Promise<void>;
}

interface Connection {
  readonly client: net.Socket;
  readonly upstream: net.Socket;
  /** Nothing passes through it any more, whatever state the link is in. */
  isDead: boolean;
  /** Resolves once its bytes may pass. */
  thawed: Promise<void>;
  thaw(): void;
}

const SLICE_MS = 20;

/** Starts a link. It keeps its port, even after it refused connections for a while. */
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
        // Closes the other side in the same way: in order, or by a reset.
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

/** Limits the rate by booking time: each byte takes its share, and a connection that is ahead of the clock waits. */
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
